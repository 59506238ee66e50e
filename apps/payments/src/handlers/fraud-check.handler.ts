import { Injectable } from '@nestjs/common';
import { EventMessage, OnEvent, PermanentError, RetryableError } from 'nestjs-durable-events';
import { type PaymentProcessed, paymentProcessed } from '../payments/payment-processed.event.js';
import { review } from '../payments/review.js';

/** Looks at every payment, before the other handlers when there is a queue. What it refuses ends as a dead letter. */
@Injectable()
export class FraudCheckHandler {
  @OnEvent(paymentProcessed, {
    name: 'fraud-check',
    priority: 10,
    retry: { maxAttempts: 2, initialDelay: '200ms' },
    // There is nothing behind it that a pause could relieve.
    circuit: false,
  })
  check({ payload }: EventMessage<PaymentProcessed>): void {
    switch (review(payload.amountCents)) {
      case 'too-large':
        // No later attempt can come to another end: straight to the dead letters, where a person finds it.
        throw new PermanentError('amount exceeds limit, requires manual review');
      case 'negative':
        // Could be a refund whose original payment is still on its way: looked at once more, then given up.
        throw new RetryableError('negative amount without a payment it could refund');
      case 'fine':
    }
  }
}
