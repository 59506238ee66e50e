import { Injectable, Logger } from '@nestjs/common';
import { EventMessage, OnEvent } from 'nestjs-durable-events';
import { type PaymentProcessed, paymentProcessed } from '../payments/payment-processed.event.js';

/** Sends each user one gift, with the first of their payments: the others of the same key end as duplicates. */
@Injectable()
export class WelcomeGiftHandler {
  private readonly logger = new Logger(WelcomeGiftHandler.name);

  @OnEvent(paymentProcessed, {
    name: 'welcome-gift',
    idempotency: { key: ({ payload }) => payload.userId, ttl: '30d' },
  })
  send({ payload }: EventMessage<PaymentProcessed>): void {
    this.logger.debug(`a gift for ${payload.userId}`);
  }
}
