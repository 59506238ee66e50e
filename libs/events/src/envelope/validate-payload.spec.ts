import type { StandardSchemaV1 } from '@standard-schema/spec';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { PayloadValidationError } from '../errors/payload-validation.error.js';
import { validatePayload } from './validate-payload.js';

const schema = z.object({
  id: z.string(),
  items: z.array(z.object({ sku: z.string(), amount: z.number().positive() })),
  currency: z.string().default('EUR'),
});

/** A schema of no library, that answers this. */
function answering(answer: unknown): StandardSchemaV1 {
  return { '~standard': { version: 1, vendor: 'test', validate: () => answer as never } };
}

it('answers what the schema makes of the payload', async () => {
  expect(await validatePayload('a', schema, { id: '1', items: [], more: 1 })).toEqual({
    id: '1',
    items: [],
    currency: 'EUR',
  });
});

it('names each place, in the words of the schema, and no value', async () => {
  const payload = {
    id: 4711,
    items: [
      { sku: 'a', amount: 1 },
      { sku: 'b', amount: -4711 },
    ],
  };
  const error = await validatePayload('payment.processed', schema, payload).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(PayloadValidationError);
  expect(error).toMatchObject({
    code: 'EVENTS_INVALID_PAYLOAD',
    eventType: 'payment.processed',
    message: 'the payload of payment.processed is invalid at id, items[1].amount',
    issues: [
      { path: 'id', message: 'Invalid input: expected string, received number' },
      { path: 'items[1].amount', message: 'Too small: expected number to be >0' },
    ],
  });
  expect(String(error)).not.toContain('4711');
});

it('names the first three places of many', async () => {
  const issues = ['a', 'b', 'b', 'c', 'd', 'e'].map((key) => ({ message: 'wrong', path: [key] }));
  await expect(validatePayload('t', answering({ issues }), {})).rejects.toThrow(
    'the payload of t is invalid at a, b, c and 2 more',
  );
});

it('understands paths of objects, keys that are no identifiers, and none at all', async () => {
  const issues = [
    { message: '1', path: [{ key: 'list' }, { key: 0 }, { key: 'a b' }] },
    { message: '2', path: [Symbol('s'), '0'] },
    { message: '3' },
    { message: '4', path: [] },
  ];
  const error = await validatePayload('t', answering({ issues }), {}).catch((error: unknown) => error);
  expect((error as PayloadValidationError).issues).toEqual([
    { path: 'list[0]["a b"]', message: '1' },
    { path: '["Symbol(s)"]["0"]', message: '2' },
    { path: '', message: '3' },
    { path: '', message: '4' },
  ]);
  expect((error as Error).message).toBe(
    'the payload of t is invalid at list[0]["a b"], ["Symbol(s)"]["0"], the payload itself',
  );
});

it('waits for an asynchronous schema', async () => {
  const asynchronous = z.object({ id: z.string().refine(async (id) => Promise.resolve(id !== 'taken')) });
  expect(await validatePayload('t', asynchronous, { id: 'free' })).toEqual({ id: 'free' });
  await expect(validatePayload('t', asynchronous, { id: 'taken' })).rejects.toThrow(
    'the payload of t is invalid at id',
  );
});

it('an error inside the schema is no invalid payload', async () => {
  const broken = z.string().refine(() => {
    throw new RangeError('the schema itself failed');
  });
  await expect(validatePayload('t', broken, 'x')).rejects.toThrow(RangeError);
});
