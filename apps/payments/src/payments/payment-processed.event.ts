import { defineEvent, type PayloadOf } from 'nestjs-durable-events';
import { z } from 'zod';

/** A payment came in and is stored. Published in the transaction that stores it. */
export const paymentProcessed = defineEvent({
  type: 'payment.processed',
  schema: z.object({
    paymentId: z.string(),
    userId: z.string(),
    /** May be negative: whether that is right is for the fraud check to say. */
    amountCents: z.int(),
    currency: z.string(),
  }),
});

export type PaymentProcessed = PayloadOf<typeof paymentProcessed>;

/** One event per payment, whoever sends it again: the inbox ignores an id it has seen. */
export function eventIdOf(paymentId: string): string {
  return `${paymentProcessed.type}:${paymentId}`;
}
