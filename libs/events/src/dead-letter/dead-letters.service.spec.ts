import { describe, expect, it } from 'vitest';
import type { WorkSignal } from '../dispatch/work-signal.js';
import { EmptyFilterError } from '../errors/empty-filter.error.js';
import type { DeadLetterQuery, RedrivePace } from '../store/dead-letter.store.js';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import type { EventStore } from '../store/event-store.js';
import { ManualClock } from '../testing/manual-clock.js';
import { type DeadLetterFilter, DeadLetters } from './dead-letters.service.js';

/** Scope: what operators may ask for, and what the store is asked then. */

interface Asked {
  readonly verb: string;
  readonly query: DeadLetterQuery;
  readonly limit?: number;
  readonly pace?: RedrivePace;
}

/** A store with so many dead letters that fit everything; each statement takes as long as `stepMs`. */
function setting(letters = 0, stepMs = 0) {
  const clock = new ManualClock(1_000_000);
  const asked: Asked[] = [];
  let left = letters;
  const take = (limit: number) => {
    const taken = Math.min(limit, left);
    left -= taken;
    return Array.from({ length: taken }, (_, index) => index + 1);
  };
  const store: Partial<EventStore> = {
    listDeadLetters: async (query, limit) => {
      asked.push({ verb: 'list', query, limit });
      return Promise.resolve([]);
    },
    countDeadLetters: async (query) => {
      asked.push({ verb: 'count', query });
      return Promise.resolve(left);
    },
    redrive: async (query, limit, _now, pace) => {
      asked.push({ verb: 'redrive', query, limit, ...(pace && { pace }) });
      if (stepMs > 0) await clock.advance(stepMs);
      return take(limit);
    },
    discard: async (query, limit) => {
      asked.push({ verb: 'discard', query, limit });
      return Promise.resolve(take(limit));
    },
  };
  const raised: unknown[] = [];
  const signal = { raise: (work: unknown) => raised.push(work) } as unknown as WorkSignal;
  return { deadLetters: new DeadLetters(store as EventStore, clock, signal, new EventLifecycle()), asked, raised };
}

/** As a caller without types would write it. */
const untyped = (filter: unknown) => filter as DeadLetterFilter;

describe('a filter', () => {
  it('asks the store for all that is written in it, and for nothing that is undefined', async () => {
    const { deadLetters, asked } = setting();
    const filter: DeadLetterFilter = {
      eventId: 'e1',
      eventType: 'payment.processed',
      handler: 'ledger',
      reason: 'expired',
      since: new Date(1_000),
      until: new Date(2_000),
      error: 'ECONNREFUSED "db"',
      all: true,
    };
    await deadLetters.count(filter);
    await deadLetters.list({ handler: 'ledger', error: undefined, since: undefined });
    await deadLetters.count();
    expect(asked).toEqual([
      {
        verb: 'count',
        query: {
          eventId: 'e1',
          eventType: 'payment.processed',
          handler: 'ledger',
          reason: 'expired',
          since: 1_000,
          until: 2_000,
          errorText: 'ECONNREFUSED "db"',
        },
      },
      { verb: 'list', query: { handler: 'ledger' }, limit: 50 },
      { verb: 'count', query: {} },
    ]);
  });

  it.each([
    [{ eventId: '' }, "dead letter filter eventId must be a text that is not empty, but is ''"],
    [{ eventType: 5 }, 'dead letter filter eventType must be a text that is not empty, but is 5'],
    [{ handler: null }, 'dead letter filter handler must be a text that is not empty, but is null'],
    [{ error: '' }, "dead letter filter error must be a text that is not empty, but is ''"],
    [{ reason: 'failed' }, "dead letter filter reason must be 'exhausted', 'rejected', 'expired', but is 'failed'"],
    [{ since: 1_000 }, 'dead letter filter since must be a valid Date, but is 1000'],
    [{ until: new Date(NaN) }, 'dead letter filter until must be a valid Date, but is Invalid Date'],
    [{ all: false }, 'dead letter filter all must be true, or left out, but is false'],
    [
      { type: 'a' },
      "unknown dead letter filter 'type'; known are eventId, eventType, handler, reason, since, until, error, all",
    ],
    [{ toString: 'a' }, /^unknown dead letter filter 'toString'/],
    [null, 'dead letter filter must be an object, but is null'],
  ])('%o is refused by all that take one', async (filter, message) => {
    const { deadLetters, asked } = setting(3);
    const calls = [
      deadLetters.list(untyped(filter)),
      deadLetters.count(untyped(filter)),
      deadLetters.redrive(untyped(filter)),
      deadLetters.discard(untyped(filter)),
    ];
    const answers = await Promise.allSettled(calls);
    for (const answer of answers) {
      const { reason } = answer as { reason?: unknown };
      expect(reason).toBeInstanceOf(TypeError);
      expect((reason as Error).message).toMatch(message);
    }
    expect(asked).toEqual([]);
  });

  it.each([{}, { handler: undefined }])('%o changes nothing: all must be said', async (filter) => {
    const { deadLetters, asked } = setting(3);
    await expect(deadLetters.redrive(filter)).rejects.toBeInstanceOf(EmptyFilterError);
    await expect(deadLetters.discard(filter)).rejects.toBeInstanceOf(EmptyFilterError);
    expect(asked).toEqual([]);
    expect(await deadLetters.discard({ all: true })).toBe(3);
    expect(asked).toEqual([{ verb: 'discard', query: {}, limit: 500 }]);
  });
});

describe('a limit', () => {
  it('of a page is 1 to 1000', async () => {
    const { deadLetters, asked } = setting();
    await deadLetters.list({}, { limit: 1 });
    await deadLetters.list({}, { limit: 1_000 });
    expect(asked.map(({ limit }) => limit)).toEqual([1, 1_000]);
    for (const limit of [0, 1_001, 2.5, NaN, Infinity, '5' as unknown as number]) {
      await expect(deadLetters.list({}, { limit })).rejects.toThrow(
        /^dead letter limit must be a whole number from 1 to 1000, but is /,
      );
    }
  });

  it('of a redrive or a discard is kept over all batches', async () => {
    const redriven = setting(2_000);
    expect(await redriven.deadLetters.redrive({ all: true }, { limit: 700 })).toBe(700);
    const discarded = setting(2_000);
    expect(await discarded.deadLetters.discard({ all: true }, { limit: 501 })).toBe(501);
    expect([...redriven.asked, ...discarded.asked].map(({ verb, limit }) => `${verb} ${limit}`)).toEqual([
      'redrive 500',
      'redrive 200',
      'discard 500',
      'discard 1',
    ]);
    const refused = redriven.deadLetters.redrive({ all: true }, { limit: 0 });
    await expect(refused).rejects.toThrow('dead letter limit must be a whole number from 1 up, but is 0');
  });
});

describe('a redrive', () => {
  it('with a rate goes on at the same pace from batch to batch, however long a batch takes', async () => {
    const { deadLetters, asked, raised } = setting(1_200, 10_000);
    expect(await deadLetters.redrive({ handler: 'ledger' }, { rate: 4 })).toBe(1_200);
    const query = { handler: 'ledger', until: 1_000_001 };
    expect(asked).toEqual([
      { verb: 'redrive', query, limit: 500, pace: { startAt: 1_000_000, everyMs: 250 } },
      { verb: 'redrive', query, limit: 500, pace: { startAt: 1_125_000, everyMs: 250 } },
      { verb: 'redrive', query, limit: 500, pace: { startAt: 1_250_000, everyMs: 250 } },
    ]);
    // Of the first that waits the node is told; staging it tells of the next.
    expect(raised).toEqual([{ dueAt: 0 }, { dueAt: 1_000_250 }]);
  });

  it('takes no letter that died after it began, also when `until` is later', async () => {
    const { deadLetters, asked } = setting();
    await deadLetters.redrive({ handler: 'a', until: new Date(5_000_000) });
    await deadLetters.redrive({ handler: 'a', until: new Date(500) });
    await deadLetters.redrive('17');
    expect(asked.map(({ query }) => query)).toEqual([
      { handler: 'a', until: 1_000_001 },
      { handler: 'a', until: 500 },
      { ids: [17], until: 1_000_001 },
    ]);
  });

  it.each([0, -1, 0.0001, NaN, Infinity, '5' as unknown as number])('at a rate of %s is refused', async (rate) => {
    const { deadLetters, asked } = setting(1);
    await expect(deadLetters.redrive({ all: true }, { rate })).rejects.toThrow(
      /^dead letter rate must be a number from 0.001 up, but is /,
    );
    expect(asked).toEqual([]);
  });
});
