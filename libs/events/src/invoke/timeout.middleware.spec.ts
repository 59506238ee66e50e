/** Scope: when an attempt ends without its handler, and what has leaked then. */
import { describe, expect, it } from 'vitest';
import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { HandlerTimeoutError } from '../errors/handler-timeout.error.js';
import { ManualClock } from '../testing/manual-clock.js';
import { newAttempt, newHandler } from './attempt.fixture.js';
import type { Attempt } from './attempt.js';
import { Deadlines } from './deadlines.js';
import { TimeoutMiddleware } from './timeout.middleware.js';

function setUp() {
  const clock = new ManualClock();
  const leaked: Attempt[] = [];
  const leaksEnded: Attempt[] = [];
  const deadlines = new Deadlines(clock);
  const middleware = new TimeoutMiddleware(deadlines, (attempt, ended) => {
    leaked.push(attempt);
    const end = () => void leaksEnded.push(attempt);
    ended.then(end, end);
  });
  const attempt = newAttempt(newHandler({ options: { timeoutMs: 100 } }));
  /** Runs the attempt; `outcome` is what it has come to so far. */
  const run = (handler: () => Promise<void>) => {
    const seen = { outcome: undefined as unknown };
    middleware.invoke(attempt, handler).then(
      () => (seen.outcome = 'returned'),
      (error: unknown) => (seen.outcome = error),
    );
    return seen;
  };
  return { clock, attempt, run, leaked, leaksEnded, deadlines };
}

describe('a handler that ends in time', () => {
  it('passes with what it came to, and its signal stays quiet', async () => {
    const { clock, attempt, run, leaked } = setUp();
    const error = new Error('down');
    const returned = run(async () => {});
    const threw = run(() => Promise.reject(error));
    const threwAtOnce = run(() => {
      throw error;
    });
    await clock.advance(1_000);
    expect([returned.outcome, threw.outcome, threwAtOnce.outcome]).toEqual(['returned', error, error]);
    expect(attempt.signal.aborted).toBe(false);
    expect(leaked).toEqual([]);
    expect(clock.nextTimerInMs).toBeUndefined();
  });
});

describe('a handler that takes longer than its timeout', () => {
  it('fails at that moment, and its signal says why', async () => {
    const { clock, attempt, run } = setUp();
    const seen = run(() => new Promise(() => {}));
    await clock.advance(99);
    expect([seen.outcome, attempt.signal.aborted]).toEqual([undefined, false]);
    await clock.advance(1);
    expect(seen.outcome).toBeInstanceOf(HandlerTimeoutError);
    expect(seen.outcome).toMatchObject({ handler: 'h', timeoutMs: 100 });
    expect(attempt.signal.reason).toBe(seen.outcome);
  });

  it('has not leaked when it heeds its signal', async () => {
    const { clock, attempt, run, leaked } = setUp();
    const seen = run(
      () => new Promise((_, reject) => attempt.signal.addEventListener('abort', () => reject(new Error('stopped')))),
    );
    await clock.advance(100);
    expect(seen.outcome).toBeInstanceOf(HandlerTimeoutError);
    expect(leaked).toEqual([]);
  });

  it('has leaked when it does not, until it ends', async () => {
    const { clock, attempt, run, leaked, leaksEnded } = setUp();
    let end = (): void => undefined;
    const seen = run(() => new Promise((_, reject) => (end = () => reject(new Error('late')))));
    await clock.advance(100);
    expect([leaked, leaksEnded]).toEqual([[attempt], []]);
    end();
    await clock.advance(0);
    expect(leaksEnded).toEqual([attempt]);
    expect(seen.outcome).toBeInstanceOf(HandlerTimeoutError);
  });
});

describe('an attempt that is aborted', () => {
  it('ends at once with the reason, whatever its handler does', async () => {
    const { clock, attempt, run, leaked } = setUp();
    const seen = run(() => new Promise(() => {}));
    const reason = new AttemptAbortedError('h', 'shutdown');
    attempt.abort(reason);
    attempt.abort(new AttemptAbortedError('h', 'cancelled'));
    await clock.advance(0);
    expect(seen.outcome).toBe(reason);
    expect(attempt.signal.reason).toBe(reason);
    expect(leaked).toEqual([attempt]);
    await clock.advance(1_000);
    expect(attempt.aborted).toBe(reason);
  });

  it('before it has begun never calls its handler', async () => {
    const { clock, attempt, run } = setUp();
    const reason = new AttemptAbortedError('h', 'lease-lost');
    attempt.abort(reason);
    let called = false;
    const seen = run(async () => void (called = true));
    await clock.advance(0);
    expect([seen.outcome, called]).toEqual([reason, false]);
    expect(clock.nextTimerInMs).toBeUndefined();
  });
});
