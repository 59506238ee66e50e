import { z } from 'zod';

const filter = {
  eventId: z.string().min(1).optional(),
  eventType: z.string().min(1).optional(),
  handler: z.string().min(1).optional(),
  reason: z.enum(['exhausted', 'rejected', 'expired']).optional(),
};

/** Query of `GET /dead-letters`. */
export const deadLetterList = z.strictObject({
  ...filter,
  limit: z.coerce.number().int().min(1).max(1_000).optional(),
  after: z
    .string()
    .regex(/^[1-9]\d{0,14}$/, 'must be the "next" of the page before')
    .optional(),
});

/** Body of `POST /dead-letters/redrive`. */
export const deadLetterRedrive = z
  .strictObject({ ...filter, all: z.literal(true).optional() })
  .refine(
    (given) => Object.keys(given).length > 0,
    'must have at least one condition; to redrive everything say { "all": true }',
  );

export type DeadLetterList = z.output<typeof deadLetterList>;
export type DeadLetterRedrive = z.output<typeof deadLetterRedrive>;
