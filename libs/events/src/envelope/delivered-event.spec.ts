import { describe, expect, it, vi } from 'vitest';
import { PayloadValidationError } from '../errors/payload-validation.error.js';
import type { StoredEvent } from '../store/records.js';
import { deepFreeze } from './deep-freeze.js';
import { DeliveredEvent } from './delivered-event.js';

const stored: StoredEvent = {
  seq: 7,
  id: 'e1',
  type: 'payment.processed',
  version: 2,
  payload: '{"amount":5,"lines":[{"sku":"a"}]}',
  headers: '{"tenant":"acme"}',
  orderingKey: 'account-1',
  priority: null,
  occurredAt: 1000,
  receivedAt: 2000,
};

it('shows what is stored, parsed', () => {
  const { id, type, version, payload, headers, orderingKey, occurredAt, receivedAt } = new DeliveredEvent(stored);
  expect({ id, type, version, payload, headers, orderingKey, occurredAt, receivedAt }).toEqual({
    id: 'e1',
    type: 'payment.processed',
    version: 2,
    payload: { amount: 5, lines: [{ sku: 'a' }] },
    headers: { tenant: 'acme' },
    orderingKey: 'account-1',
    occurredAt: new Date(1000),
    receivedAt: new Date(2000),
  });
});

it('without headers and ordering key it has no headers and no key', () => {
  const event = new DeliveredEvent({ ...stored, headers: null, orderingKey: null });
  expect([event.headers, event.orderingKey]).toEqual([{}, undefined]);
});

it('parses nothing before it is read, and then once', () => {
  const parse = vi.spyOn(JSON, 'parse');
  const event = new DeliveredEvent(stored);
  expect(parse).toHaveBeenCalledTimes(0);
  expect(event.payload).toBe(event.payload);
  expect(event.headers).toBe(event.headers);
  expect(parse).toHaveBeenCalledTimes(2);
  parse.mockRestore();
});

it('nothing a handler does to it reaches another handler', () => {
  const event = new DeliveredEvent(stored);
  const payload = event.payload as { amount: number; lines: { sku: string }[] };
  expect(() => (payload.amount = 6)).toThrow(TypeError);
  expect(() => (payload.lines[0].sku = 'b')).toThrow(TypeError);
  expect(() => payload.lines.push({ sku: 'b' })).toThrow(TypeError);
  expect(() => ((event.headers as { tenant: string }).tenant = 'b')).toThrow(TypeError);
  expect(() => ((new DeliveredEvent({ ...stored, headers: null }).headers as { x?: string }).x = 'b')).toThrow(
    TypeError,
  );
  event.occurredAt.setTime(0);
  event.receivedAt.setTime(0);
  expect([event.occurredAt, event.receivedAt]).toEqual([new Date(1000), new Date(2000)]);
});

it('a key named __proto__ is data', () => {
  const event = new DeliveredEvent({ ...stored, payload: '{"__proto__":{"admin":true}}' });
  const payload = event.payload as { admin?: boolean };
  expect([Object.keys(payload), payload.admin, Object.getPrototypeOf(payload)]).toEqual([
    ['__proto__'],
    undefined,
    Object.prototype,
  ]);
});

it.each(['null', '0', '""', 'false', '[]'])('the payload may be %s', (payload) => {
  expect(new DeliveredEvent({ ...stored, payload }).payload).toEqual(JSON.parse(payload));
});

it('a payload that the claim left out is supplied later', () => {
  const event = new DeliveredEvent({ ...stored, payload: null });
  expect(() => event.payload).toThrow('the payload of event e1 has not been read from the inbox');
  event.supply('[1]');
  expect(event.payload).toEqual([1]);
});

it('a payload that is no JSON is an invalid payload; the error does not quote it', () => {
  const event = new DeliveredEvent({ ...stored, payload: 'secret' });
  let thrown: unknown;
  try {
    void event.payload;
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toEqual(new PayloadValidationError('payment.processed', [{ path: '', message: 'is not JSON' }]));
  expect((thrown as Error).message).toBe('the payload of payment.processed is invalid at the payload itself');
  expect((thrown as Error).cause).toBeUndefined();
});

describe('withPayload', () => {
  it('is the same event with what a schema made of the payload, frozen too', () => {
    const event = new DeliveredEvent(stored);
    const changed = event.withPayload({ amount: 5, currency: { code: 'EUR' } });
    expect([changed.id, changed.headers, changed.payload]).toEqual([
      'e1',
      { tenant: 'acme' },
      { amount: 5, currency: { code: 'EUR' } },
    ]);
    expect(Object.isFrozen((changed.payload as { currency: object }).currency)).toBe(true);
    expect(event.payload).toEqual({ amount: 5, lines: [{ sku: 'a' }] });
  });

  it.each([null, undefined, 0])('takes %s as well', (payload) => {
    expect(new DeliveredEvent(stored).withPayload(payload).payload).toBe(payload);
  });

  it('has the version that the payload has then, also where the payload is the same', () => {
    const event = new DeliveredEvent(stored);
    const [lifted, relabelled] = [event.withPayload({ amount: 6 }, 3), event.withPayload(event.payload, 3)];
    expect([lifted.version, lifted.payload, relabelled.version, relabelled.payload, event.version]).toEqual([
      3,
      { amount: 6 },
      3,
      event.payload,
      2,
    ]);
  });

  it('is the event itself where the schema changed nothing', () => {
    const event = new DeliveredEvent(stored);
    expect(event.withPayload(event.payload)).toBe(event);
  });
});

describe('deepFreeze', () => {
  it('freezes what is nested deeper than the stack', () => {
    const depth = 200_000;
    const value = JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown[];
    deepFreeze(value);
    let innermost = value;
    while (innermost.length > 0) innermost = innermost[0] as unknown[];
    expect(Object.isFrozen(innermost)).toBe(true);
  });

  it('ends on a cycle and leaves instances of classes alone', () => {
    const value: Record<string, unknown> = { at: new Date(0), bytes: new Uint8Array(1) };
    value.self = [value];
    deepFreeze(value);
    expect([Object.isFrozen(value), Object.isFrozen(value.self), Object.isFrozen(value.at)]).toEqual([
      true,
      true,
      false,
    ]);
  });
});
