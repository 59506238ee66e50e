/** Scope: which attempts take a token of which bucket, and what becomes of the token. */
import { describe, expect, it, vi } from 'vitest';
import type { ResolvedRateLimitOptions } from '../discovery/on-event.options.js';
import { defineEvent } from '../envelope/define-event.js';
import type { EventDefinition } from '../envelope/event-definition.js';
import { ChainUnavailableError } from '../errors/chain-unavailable.error.js';
import { CircuitOpenError } from '../errors/circuit-open.error.js';
import { RateLimitedError } from '../errors/rate-limited.error.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { ManualClock } from '../testing/manual-clock.js';
import { newAttempt, newHandler } from './attempt.fixture.js';
import type { Attempt } from './attempt.js';
import { callHandler } from './call-handler.js';
import { CurrentAttempt } from './current-attempt.js';
import { Outage } from './outage.js';
import { RateLimitMiddleware } from './rate-limit.middleware.js';
import { RateLimits } from './rate-limits.js';

const START = 1_000_000;

interface Given {
  readonly rateLimit?: Partial<ResolvedRateLimitOptions>;
  readonly definition?: EventDefinition;
}

function setUp({ rateLimit, definition }: Given = {}) {
  const clock = new ManualClock(START);
  const store = new MemoryStore(clock);
  const takeTokens = vi.spyOn(store, 'takeTokens');
  const logger = { log: vi.fn(), error: vi.fn() };
  const outage = new Outage(clock, logger);
  const limits = new RateLimits(store, clock);
  const middleware = new RateLimitMiddleware(limits, clock, outage);
  const call = vi.fn();
  const handler = newHandler({
    options: {
      rateLimit: { limit: 10, periodMs: 60_000, burst: 15, key: undefined, store: 'database', ...rateLimit },
    },
    definitions: definition ? [definition] : [],
    call,
  });
  const attemptOf = (payload: unknown = {}, rateSlot: number | null = null) =>
    newAttempt(handler, { event: { payload: JSON.stringify(payload) }, delivery: { rateSlot } });
  /** What the attempt came to: 'ran', or the error. */
  const run = async (
    attempt: Attempt,
    inner = (attempt: Attempt) => callHandler(attempt, new CurrentAttempt()),
  ): Promise<unknown> => {
    try {
      await middleware.invoke(attempt, () => inner(attempt));
      return 'ran';
    } catch (error) {
      return error;
    }
  };
  /** How often events with this payload run at once, of twenty. */
  const runsOf = async (payload: unknown) => {
    let runs = 0;
    for (let n = 0; n < 20; n++) if ((await run(attemptOf(payload))) === 'ran') runs++;
    return runs;
  };
  return { clock, handler, limits, takeTokens, logger, middleware, call, attemptOf, run, runsOf };
}

describe('a handler with a rate limit', () => {
  it('of ten a minute and a burst of fifteen: the sixteenth waits exactly 6,000 ms', async () => {
    const { attemptOf, run, call } = setUp();
    for (let n = 0; n < 15; n++) expect(await run(attemptOf())).toBe('ran');
    const attempt = attemptOf();
    const refused = await run(attempt);
    expect(refused).toBeInstanceOf(RateLimitedError);
    expect(refused).toMatchObject({ handler: 'h', retryAt: START + 6_000 });
    expect([attempt.refusal, attempt.rateSlot, call.mock.calls.length]).toEqual([refused, START + 6_000, 15]);
  });

  it('runs what comes back at its moment without another token', async () => {
    const { clock, attemptOf, run, takeTokens, limits } = setUp();
    for (let n = 0; n < 17; n++) await run(attemptOf());
    await clock.advance(6_000);
    takeTokens.mockClear();
    const room = [limits.room('h')];
    expect(await run(attemptOf({}, START + 6_000))).toBe('ran');
    room.push(limits.room('h'));
    // Claims made room for it; now that it is here they need not.
    expect([takeTokens.mock.calls, room]).toEqual([[], [1, 0]]);
  });

  it('puts back what comes before its moment, and keeps its place', async () => {
    const { attemptOf, run, takeTokens } = setUp();
    const attempt = attemptOf({}, START + 6_000);
    expect(await run(attempt)).toMatchObject({ retryAt: START + 6_000 });
    expect([attempt.rateSlot, takeTokens.mock.calls]).toEqual([START + 6_000, []]);
  });

  it('takes anew what comes so late that the token would be one too many', async () => {
    const { attemptOf, run, takeTokens } = setUp();
    expect(await run(attemptOf({}, START - 6_000))).toBe('ran');
    expect(takeTokens).not.toHaveBeenCalled();
    expect(await run(attemptOf({}, START - 6_001))).toBe('ran');
    expect(takeTokens).toHaveBeenCalledTimes(1);
  });

  it('may have its limit in memory', async () => {
    const { attemptOf, run, runsOf, takeTokens } = setUp({ rateLimit: { store: 'memory' } });
    expect(await runsOf({})).toBe(15);
    expect(await run(attemptOf())).toMatchObject({ retryAt: START + 6 * 6_000 });
    expect(takeTokens).not.toHaveBeenCalled();
  });
});

describe('the token of an attempt', () => {
  it('is kept when a link further in refuses: the delivery comes back with it', async () => {
    const { attemptOf, run } = setUp();
    const attempt = attemptOf();
    const refusal = new CircuitOpenError('h', START + 5_000);
    expect(await run(attempt, async (refused) => Promise.reject(refused.refuse(refusal)))).toBe(refusal);
    expect(attempt.rateSlot).toBe(START);
  });

  it.each([
    ['returns', () => undefined],
    [
      'throws',
      () => {
        throw new Error('down');
      },
    ],
  ])('is used up when the handler runs, also if it %s', async (_what, handler) => {
    const { attemptOf, run, call } = setUp();
    call.mockImplementation(handler);
    const attempt = attemptOf();
    await run(attempt);
    expect(attempt.rateSlot).toBeNull();
  });

  it('is good for one run: a middleware that calls again takes another', async () => {
    const { attemptOf, run, takeTokens } = setUp({ rateLimit: { burst: 1 } });
    const attempt = attemptOf();
    expect(await run(attempt)).toBe('ran');
    expect(await run(attempt)).toMatchObject({ retryAt: START + 6_000 });
    // What it has reserved now is not taken once more.
    expect(await run(attempt)).toMatchObject({ retryAt: START + 6_000 });
    expect(takeTokens).toHaveBeenCalledTimes(2);
  });
});

describe('the key of a limit', () => {
  const definition = defineEvent<{ tenant?: string }>({ type: 'a.b', rateLimitKey: ({ tenant }) => tenant });
  const tenantOf: ResolvedRateLimitOptions['key'] = ({ payload }) => (payload as { tenant?: string }).tenant;

  it.each([
    ['the handler’s option', { rateLimit: { key: tenantOf } }],
    ['the event’s definition', { definition }],
  ])('by %s makes a bucket for each', async (_by, given) => {
    const { runsOf } = setUp(given);
    expect([await runsOf({ tenant: 'acme' }), await runsOf({ tenant: 'other' })]).toEqual([15, 15]);
  });

  it('is the handler’s own where both have one', async () => {
    const { runsOf } = setUp({ rateLimit: { key: () => 'all' }, definition });
    expect([await runsOf({ tenant: 'acme' }), await runsOf({ tenant: 'other' })]).toEqual([15, 0]);
  });

  it.each([
    ['the handler’s option', { rateLimit: { key: tenantOf } }],
    ['the event’s definition', { definition }],
  ])('that is undefined or empty by %s means no limit', async (_by, given) => {
    const { runsOf, takeTokens } = setUp(given);
    expect([await runsOf({}), await runsOf({ tenant: '' }), takeTokens.mock.calls]).toEqual([20, 20, []]);
  });

  it('is one for the whole handler where nobody names any', async () => {
    const { runsOf } = setUp({ definition: defineEvent({ type: 'a.b' }) });
    expect([await runsOf({ tenant: 'acme' }), await runsOf({ tenant: 'other' })]).toEqual([15, 0]);
  });

  it.each([
    ['a number', 7, 'rateLimit.key of handler h answered a number, not a text'],
    ['an object', {}, 'rateLimit.key of handler h answered a object, not a text'],
    ['too long', 'x'.repeat(256), 'rateLimit.key of handler h answered 256 characters long, but may have 255'],
  ])('must be a text that can be stored, not %s', async (_what, key, message) => {
    const { attemptOf, run, call } = setUp({ rateLimit: { key: () => key as string } });
    const attempt = attemptOf();
    expect(await run(attempt)).toMatchObject({ code: 'EVENTS_INVALID_KEY', option: 'rateLimit.key', message });
    expect([attempt.refusal, call.mock.calls]).toEqual([undefined, []]);
  });

  it('that cannot be told fails the attempt with what its function threw', async () => {
    const bug = new TypeError('no tenant');
    const { attemptOf, run } = setUp({
      rateLimit: {
        key: () => {
          throw bug;
        },
      },
    });
    expect(await run(attemptOf())).toBe(bug);
  });
});

describe('a database that does not answer', () => {
  it('refuses for a second, which is said once, and takes no token', async () => {
    const { attemptOf, run, takeTokens, call, logger } = setUp();
    takeTokens.mockRejectedValueOnce(new Error('down')).mockRejectedValueOnce(new Error('down'));
    const attempt = attemptOf();
    const refused = await run(attempt);
    expect(refused).toBeInstanceOf(ChainUnavailableError);
    expect(refused).toMatchObject({ what: 'rate limit', retryAt: START + 1_000 });
    expect([attempt.refusal, attempt.rateSlot]).toEqual([refused, null]);
    await run(attemptOf());
    expect([logger.error.mock.calls.length, call.mock.calls]).toEqual([1, []]);
    expect(await run(attemptOf())).toBe('ran');
  });
});

describe('a handler without a rate limit', () => {
  it('is called at once', () => {
    const { middleware, handler } = setUp();
    const attempt = newAttempt({ ...handler, options: { ...handler.options, rateLimit: false } });
    const going = Promise.resolve();
    expect(middleware.invoke(attempt, () => going)).toBe(going);
  });
});
