import { describe, expect, it } from 'vitest';
import { DeliveredEvent } from '../envelope/delivered-event.js';
import { validatePayload } from '../envelope/validate-payload.js';
import { deadLetterNotice } from '../store/dead-letter-notice.js';
import type { DeadLetterRecord } from '../store/records.js';
import { type DeadLetter, deadLetterEvent, toDeadLetter } from './dead-letter.js';

/** Scope: a dead letter as users see it, from the store's record of it and from the notice that tells of it. */

const record: DeadLetterRecord = {
  id: 7,
  handler: 'ledger',
  reason: 'exhausted',
  attempts: 2,
  failures: [
    { at: 1_000, attempt: 1, name: 'node-lost', message: 'the node died', node: 'a' },
    {
      at: 2_000,
      attempt: 2,
      name: 'Error',
      message: 'no',
      stack: 'Error: no',
      causes: [{ name: 'Error', message: 'down' }],
      durationMs: 3,
      node: 'b',
    },
  ],
  diedAt: 2_000,
  event: {
    seq: 4,
    id: 'e1',
    type: 'payment.processed',
    version: 2,
    payload: '{"amount":5,"lines":[{"sku":"a"}]}',
    headers: '{"tenant":"acme"}',
    orderingKey: 'account-1',
    priority: 10,
    occurredAt: 100,
    receivedAt: 200,
  },
};

const shown = ({ event, ...letter }: DeadLetter) => {
  const { id, type, version, payload, headers, orderingKey, occurredAt, receivedAt } = event;
  return { ...letter, event: { id, type, version, payload, headers, orderingKey, occurredAt, receivedAt } };
};

const expected = {
  id: '7',
  handler: 'ledger',
  reason: 'exhausted',
  attempts: 2,
  failures: [
    { ...record.failures[0], at: new Date(1_000) },
    { ...record.failures[1], at: new Date(2_000) },
  ],
  diedAt: new Date(2_000),
  event: {
    id: 'e1',
    type: 'payment.processed',
    version: 2,
    payload: { amount: 5, lines: [{ sku: 'a' }] },
    headers: { tenant: 'acme' },
    orderingKey: 'account-1',
    occurredAt: new Date(100),
    receivedAt: new Date(200),
  },
};

/** As a handler gets it: written as a notice, delivered, and made a dead letter by the schema. */
async function noticed(letter: DeadLetterRecord): Promise<DeliveredEvent> {
  const notice = deadLetterNotice(letter, 3);
  if (!notice) throw new Error('no notice');
  const { availableAt: _availableAt, deliveries: _deliveries, ...rest } = notice;
  const event = new DeliveredEvent({ ...rest, seq: 5, receivedAt: 2_000 });
  const { type, schema } = deadLetterEvent;
  if (!schema) throw new Error('no schema');
  expect(event.type).toBe(type);
  return event.withPayload(await validatePayload(type, schema, event.payload));
}

it('is made of the record', () => {
  expect(shown(toDeadLetter(record))).toEqual(expected);
});

it('is the same when it is made of the notice', async () => {
  const { payload } = await noticed(record);
  expect(shown(payload as DeadLetter)).toEqual(expected);
});

it('of an event without headers and ordering key is the same too', async () => {
  const bare = { ...record, event: { ...record.event, headers: null, orderingKey: null, payload: 'null' } };
  const letter = (await noticed(bare)).payload as DeadLetter;
  expect(shown(letter)).toEqual(shown(toDeadLetter(bare)));
  expect(letter.event.payload).toBe(null);
});

it('made of the notice is frozen, and so is the event in it; its dates can be read', async () => {
  const letter = (await noticed(record)).payload as DeadLetter;
  expect([
    Object.isFrozen(letter),
    Object.isFrozen(letter.failures[1].causes),
    Object.isFrozen((letter.event.payload as { lines: object[] }).lines[0]),
    Object.isFrozen(letter.event.headers),
    letter.diedAt.toISOString(),
  ]).toEqual([true, true, true, true, '1970-01-01T00:00:02.000Z']);
});

describe('the headers of a notice', () => {
  const headersOf = async (event: Partial<DeadLetterRecord['event']>, trace?: string) => {
    const failures = [{ at: 1, attempt: 1, name: 'Error', message: 'no', node: 'a', ...(trace && { trace }) }];
    return (await noticed({ ...record, failures, event: { ...record.event, ...event } })).headers;
  };

  it('are those of the event, and say what the notice goes back to', async () => {
    const ids = { 'correlation-id': 'e1', 'causation-id': 'e1' };
    expect(await headersOf({})).toEqual({ tenant: 'acme', ...ids });
    expect(await headersOf({ headers: null })).toEqual(ids);
    expect(await headersOf({ headers: 'no JSON' })).toEqual(ids);
    const headers = '{"correlation-id":"c","causation-id":"e0"}';
    expect(await headersOf({ headers })).toEqual({ 'correlation-id': 'c', 'causation-id': 'e1' });
  });

  it('have the trace of the last attempt, or that of the publish where there is none', async () => {
    const headers = '{"traceparent":"of the publish","tracestate":"its own"}';
    expect(await headersOf({ headers })).toMatchObject(JSON.parse(headers) as object);
    const withTrace = await headersOf({ headers }, 'of the attempt');
    expect([withTrace['traceparent'], withTrace['tracestate']]).toEqual(['of the attempt', undefined]);
  });
});
