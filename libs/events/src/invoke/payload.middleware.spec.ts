/** Scope: what a handler's event is made of what is stored: large payloads, older and newer versions, schemas. */
import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { defineEvent } from '../envelope/define-event.js';
import type { EventDefinition } from '../envelope/event-definition.js';
import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { ChainUnavailableError } from '../errors/chain-unavailable.error.js';
import { NewerVersionError } from '../errors/newer-version.error.js';
import { PayloadValidationError } from '../errors/payload-validation.error.js';
import { UpcastError } from '../errors/upcast.error.js';
import { ManualClock } from '../testing/manual-clock.js';
import { newAttempt, newHandler, type AttemptParts } from './attempt.fixture.js';
import { Deadlines } from './deadlines.js';
import { Outage } from './outage.js';
import { PayloadMiddleware } from './payload.middleware.js';

function setUp(parts: AttemptParts & { definition?: EventDefinition } = {}) {
  const clock = new ManualClock(1_000);
  const logger = { log: vi.fn(), error: vi.fn() };
  const read = vi.fn(async (_seq: number): Promise<string | null> => '{"amount":7}');
  const outage = new Outage(clock, logger);
  const middleware = new PayloadMiddleware(read, clock, outage, new Deadlines(clock));
  const attempt = newAttempt(newHandler({ definitions: parts.definition ? [parts.definition] : [] }), parts);
  const next = vi.fn(async () => {});
  const invoke = () => middleware.invoke(attempt, next).catch((error: unknown) => error);
  /** What the handler gets. */
  const seen = () => ({ version: attempt.event.version, payload: attempt.event.payload });
  return { read, middleware, attempt, next, invoke, seen };
}

const plain = defineEvent<{ amount: number }>({ type: 'a.b' });

/** Version 1 had an amount in cents, 2 in whole units, 3 has a currency. */
const lifted = defineEvent<{ amount: number; currency: string }>({
  type: 'a.b',
  version: 3,
  upcasters: {
    1: (old: { cents: number }) => ({ amount: old.cents / 100 }),
    2: async (old: { amount: number }) => ({ ...old, currency: 'EUR' }),
  },
});

describe('an event as it was published', () => {
  it.each([
    ['without a definition', undefined],
    ['with one that has no schema', plain],
  ])('%s goes on at once, and is not parsed', (_what, definition) => {
    const { attempt, next, middleware } = setUp({ definition, event: { payload: 'not JSON' } });
    const { event } = attempt;
    const going = Promise.resolve();
    next.mockReturnValue(going);
    expect(middleware.invoke(attempt, next)).toBe(going);
    expect(next).toHaveBeenCalledTimes(1);
    expect(attempt.event).toBe(event);
  });

  it('goes on at once whatever its version, when no definition says anything about versions', async () => {
    const { invoke, next, seen } = setUp({ event: { version: 9, payload: '{"amount":1}' } });
    expect(await invoke()).toBeUndefined();
    expect(next).toHaveBeenCalledTimes(1);
    expect(seen()).toEqual({ version: 9, payload: { amount: 1 } });
  });
});

describe('a payload that a claim left out', () => {
  it('is read before the handler runs', async () => {
    const { invoke, next, seen, read } = setUp({ event: { seq: 42, payload: null } });
    next.mockImplementation(async () => {
      expect(seen().payload).toEqual({ amount: 7 });
    });
    expect(await invoke()).toBeUndefined();
    expect([read.mock.calls, next.mock.calls]).toEqual([[[42]], [[]]]);
  });

  it('is lifted and checked as any other', async () => {
    const { invoke, seen, read } = setUp({ definition: lifted, event: { payload: null } });
    read.mockResolvedValue('{"cents":250}');
    expect(await invoke()).toBeUndefined();
    expect(seen()).toEqual({ version: 3, payload: { amount: 2.5, currency: 'EUR' } });
  });

  it('that cannot be read refuses the attempt', async () => {
    const { invoke, next, attempt, read } = setUp({ event: { payload: null } });
    read.mockRejectedValue(new Error('down'));
    const refused = await invoke();
    expect(refused).toBeInstanceOf(ChainUnavailableError);
    expect(refused).toMatchObject({ what: 'payload', retryAt: 2_000 });
    expect([attempt.refusal, next.mock.calls]).toEqual([refused, []]);
  });

  it('that is gone fails the attempt: somebody has deleted it', async () => {
    const { invoke, next, attempt, read } = setUp({ event: { id: 'e7', payload: null } });
    read.mockResolvedValue(null);
    expect(await invoke()).toMatchObject({ message: 'the payload of event e7 is gone from the inbox' });
    expect([attempt.refusal, next.mock.calls]).toEqual([undefined, []]);
  });

  it('holds up no attempt that is aborted meanwhile', async () => {
    const { invoke, next, attempt, read } = setUp({ event: { payload: null } });
    read.mockReturnValue(new Promise(() => {}));
    const ended = invoke();
    const reason = new AttemptAbortedError('h', 'shutdown');
    attempt.abort(reason);
    expect([await ended, next.mock.calls]).toEqual([reason, []]);
  });
});

describe('an event of an older version', () => {
  it('is lifted step by step, and what is inside of the link sees it so', async () => {
    const { attempt, invoke, next, seen } = setUp({ definition: lifted, event: { payload: '{"cents":250}' } });
    const stored = attempt.event;
    next.mockImplementation(async () => {
      expect(seen()).toEqual({ version: 3, payload: { amount: 2.5, currency: 'EUR' } });
      expect(Object.isFrozen(attempt.event.payload)).toBe(true);
    });
    expect(await invoke()).toBeUndefined();
    expect(next).toHaveBeenCalledTimes(1);
    // One object serves all handlers of the event: the others must not see it lifted.
    expect([stored.version, stored.payload]).toEqual([1, { cents: 250 }]);
  });

  it('of which no upcaster knows the way is rejected', async () => {
    const { invoke, next } = setUp({ definition: { ...lifted, upcasters: { 1: (old) => old } } });
    const error = await invoke();
    expect(error).toBeInstanceOf(UpcastError);
    expect(error).toMatchObject({ eventType: 'a.b', fromVersion: 2, toVersion: 3 });
    expect(next).not.toHaveBeenCalled();
  });

  it('is checked with the schema after it was lifted, not before', async () => {
    const schema = z.object({ amount: z.number(), currency: z.string() });
    const definition = { ...lifted, schema };
    const { invoke, seen } = setUp({ definition, event: { payload: '{"cents":250}' } });
    expect(await invoke()).toBeUndefined();
    expect(seen()).toEqual({ version: 3, payload: { amount: 2.5, currency: 'EUR' } });
  });
});

describe('an event of a newer version', () => {
  it('waits five seconds for a node that knows it', async () => {
    const { attempt, invoke, next } = setUp({ definition: lifted, event: { version: 4 } });
    const refused = await invoke();
    expect(refused).toBeInstanceOf(NewerVersionError);
    expect(refused).toMatchObject({ eventType: 'a.b', version: 4, known: 3, retryAt: 6_000 });
    expect([attempt.refusal, next.mock.calls]).toEqual([refused, []]);
  });
});

describe('a schema', () => {
  const definition = defineEvent({ type: 'a.b', schema: z.object({ amount: z.number().default(1) }) });

  it('fills its defaults in', async () => {
    const { invoke, seen } = setUp({ definition });
    expect(await invoke()).toBeUndefined();
    expect(seen()).toEqual({ version: 1, payload: { amount: 1 } });
  });

  it.each([
    ['that does not fit', '{"amount":"much"}', 'amount'],
    ['that is no JSON', '{', ''],
  ])('rejects a payload %s', async (_what, payload, path) => {
    const { attempt, invoke, next } = setUp({ definition, event: { payload } });
    const error = await invoke();
    expect(error).toBeInstanceOf(PayloadValidationError);
    expect((error as PayloadValidationError).issues.map((issue) => issue.path)).toEqual([path]);
    expect([attempt.refusal, next.mock.calls]).toEqual([undefined, []]);
  });
});
