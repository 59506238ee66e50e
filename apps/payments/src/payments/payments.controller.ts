import { Body, Controller, Get, HttpStatus, NotFoundException, Param, Post, Res } from '@nestjs/common';
import type { Response } from 'express';
import { fromCents } from './amount.js';
import { type PaymentRequest, paymentRequest } from './payment-request.js';
import { PaymentsService } from './payments.service.js';

@Controller('payments')
export class PaymentsController {
  constructor(private readonly payments: PaymentsService) {}

  /** 202: stored, and its handlers will run. 200: this payment id came before, nothing was done. 400: what is wrong with it. */
  @Post()
  async create(
    @Body({ schema: paymentRequest }) request: PaymentRequest,
    @Res({ passthrough: true }) response: Response,
  ) {
    const { duplicate } = await this.payments.accept(request);
    response.status(duplicate ? HttpStatus.OK : HttpStatus.ACCEPTED);
    return { paymentId: request.paymentId, duplicate };
  }

  @Get(':id')
  async show(@Param('id') id: string) {
    const found = await this.payments.find(id);
    if (!found) throw new NotFoundException(`there is no payment ${JSON.stringify(id)}`);
    const { payment, deliveries } = found;
    return {
      paymentId: payment.id,
      userId: payment.userId,
      amount: fromCents(payment.amountCents),
      currency: payment.currency,
      createdAt: payment.createdAt,
      // Stacks and causes are for operators: see GET /dead-letters.
      deliveries: deliveries.map(({ failures, ...delivery }) => ({
        ...delivery,
        failures: failures.map(({ stack: _stack, causes: _causes, ...failure }) => failure),
      })),
    };
  }
}
