import { Injectable } from '@nestjs/common';
import { DeliveryContext, EventMessage, OnEvent } from 'nestjs-durable-events';
import { Account } from '../accounts/account.entity.js';
import { type PaymentProcessed, paymentProcessed } from '../payments/payment-processed.event.js';
import { review } from '../payments/review.js';

/**
 * Adds the payment to the user's balance, exactly once: the change commits together with the delivery's completion.
 * Payments that fail the review (negative, or too large) leave the balance alone; booking them after a person has looked
 * is not part of this service.
 */
@Injectable()
export class AccountBalanceHandler {
  @OnEvent(paymentProcessed, { name: 'account-balance' })
  async addToBalance({ payload }: EventMessage<PaymentProcessed>, context: DeliveryContext): Promise<void> {
    const { userId, currency, amountCents } = payload;
    if (review(amountCents) !== 'fine') return;
    await context.transaction(async (manager) => {
      // The row first, then the addition: two first payments of a user at once then wait for each other and both count.
      await manager
        .createQueryBuilder()
        .insert()
        .into(Account)
        .values({ userId, currency, balanceCents: 0 })
        .orIgnore()
        .execute();
      await manager.increment(Account, { userId, currency }, 'balanceCents', amountCents);
    });
  }
}
