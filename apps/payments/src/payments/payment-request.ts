import { z } from 'zod';
import { toCents } from './amount.js';

/** An id of somebody else's: what fits into a URL and a log line. */
const id = z
  .string('must be a text')
  .regex(/^[\w.:-]{1,100}$/, 'must have 1 to 100 letters, digits, "_", ".", ":" or "-"');

const amount = z
  .union([z.number(), z.string()], 'must be a number, or a text such as "12.30"')
  .transform((value, context) => {
    const cents = toCents(value);
    if (cents !== undefined) return cents;
    context.addIssue({
      code: 'custom',
      message: `must have at most 2 decimals and 12 digits before them, but is ${JSON.stringify(value)}`,
    });
    return z.NEVER;
  });

/** Body of `POST /payments`. Every currency is taken to have 100 cents. */
export const paymentRequest = z
  .strictObject({
    paymentId: id,
    userId: id,
    amount,
    currency: z.string('must be a text').regex(/^[A-Z]{3}$/, 'must be three capital letters such as "EUR"'),
  })
  .transform(({ amount: amountCents, ...rest }) => ({ ...rest, amountCents }));

export type PaymentRequest = z.output<typeof paymentRequest>;
