import { Controller, Get } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { fromCents } from '../payments/amount.js';
import { Account } from './account.entity.js';

@Controller('accounts')
export class AccountsController {
  constructor(@InjectRepository(Account) private readonly accounts: Repository<Account>) {}

  /** All balances; the demo compares them with its file. */
  @Get()
  async list() {
    const accounts = await this.accounts.find({ order: { userId: 'ASC', currency: 'ASC' } });
    return accounts.map(({ userId, currency, balanceCents }) => ({
      userId,
      currency,
      balance: fromCents(balanceCents),
    }));
  }
}
