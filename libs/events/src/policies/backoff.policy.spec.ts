import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ResolvedRetryOptions } from '../discovery/on-event.options.js';
import { InvalidOptionError } from '../errors/invalid-option.error.js';
import { backoffDelay } from './backoff.policy.js';

/** Scope: how long a retry waits. Properties print this seed when they fail. */
const SEED = { seed: 20260101, numRuns: 2000 };

const options = (changes: Partial<ResolvedRetryOptions> = {}): ResolvedRetryOptions => ({
  maxAttempts: 5,
  backoff: 'exponential',
  initialDelayMs: 1000,
  maxDelayMs: 300_000,
  jitter: 'none',
  retryIf: undefined,
  ...changes,
});
const never = () => {
  throw new Error('random must not be asked');
};
const delays = (retry: ResolvedRetryOptions, random: () => number = never) =>
  [1, 2, 3, 4, 5].map((attempts) => backoffDelay(retry, attempts, random));

describe('backoffDelay', () => {
  it.each([
    ['fixed', [1000, 1000, 1000, 1000, 1000]],
    ['linear', [1000, 2000, 3000, 4000, 5000]],
    ['exponential', [1000, 2000, 4000, 8000, 16_000]],
    ['quadratic', [1000, 4000, 9000, 16_000, 25_000]],
  ] as const)('%s grows by its formula', (backoff, expected) => {
    expect(delays(options({ backoff }))).toEqual(expected);
  });

  it('asks a function with the number of attempts, and caps its answer', () => {
    expect(delays(options({ backoff: (attempts) => 70_000.9 * attempts }))).toEqual([
      70_000, 140_001, 210_002, 280_003, 300_000,
    ]);
  });

  it('waits no longer than maxDelay', () => {
    expect(delays(options({ maxDelayMs: 3500 }))).toEqual([1000, 2000, 3500, 3500, 3500]);
    expect(delays(options({ maxDelayMs: 500 }))).toEqual([500, 500, 500, 500, 500]);
  });

  it('full jitter spreads over 0..delay, equal jitter over its upper half, ends included', () => {
    const spread = (jitter: 'full' | 'equal') =>
      [0, 0.5, 1 - Number.EPSILON].map((chance) =>
        backoffDelay(options({ jitter, initialDelayMs: 1001, backoff: 'fixed' }), 1, () => chance),
      );
    expect(spread('full')).toEqual([0, 501, 1001]);
    expect(spread('equal')).toEqual([501, 751, 1001]);
  });

  it.each(['fixed', 'linear', 'exponential', 'quadratic'] as const)('%s does not overflow', (backoff) => {
    for (const attempts of [1000, 1025, 1e6, Number.MAX_SAFE_INTEGER]) {
      expect(backoffDelay(options({ backoff }), attempts, never)).toBe(backoff === 'fixed' ? 1000 : 300_000);
      expect(backoffDelay(options({ backoff, initialDelayMs: 0 }), attempts, never)).toBe(0);
    }
  });

  it('a function that answers no delay stands for maxDelay, and its answer is reported', () => {
    for (const answer of [Number.NaN, -1, -Infinity, undefined, '5s', Promise.resolve(5)]) {
      const faults: unknown[] = [];
      const retry = options({ backoff: () => answer as number });
      expect(backoffDelay(retry, 3, never, (fault) => faults.push(fault))).toBe(300_000);
      expect(faults).toEqual([new InvalidOptionError('retry', 'backoff(3)', answer, 'milliseconds from 0 up')]);
    }
  });

  it('a function that answers Infinity is capped like any other', () => {
    expect(backoffDelay(options({ backoff: () => Infinity }), 1, never, never)).toBe(300_000);
  });

  it('a function that throws stands for maxDelay, and its error is reported', () => {
    const boom = new Error('boom');
    const faults: unknown[] = [];
    const backoff = () => {
      throw boom;
    };
    expect(backoffDelay(options({ backoff }), 1, never, (fault) => faults.push(fault))).toBe(300_000);
    expect(backoffDelay(options({ backoff }), 1, never)).toBe(300_000);
    expect(faults).toEqual([boom]);
  });

  const anyRetry = fc.record({
    backoff: fc.constantFrom('fixed', 'linear', 'exponential', 'quadratic'),
    initialDelayMs: fc.oneof(fc.nat(100_000), fc.double({ min: 0.001, max: 1e6, noNaN: true })),
    maxDelayMs: fc.oneof(fc.nat(1_000_000), fc.double({ min: 0, max: 1e7, noNaN: true })),
    attempts: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 1_000_000 })),
    chance: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  });

  it('without jitter is the capped formula, computed step by step', () => {
    fc.assert(
      fc.property(anyRetry, ({ attempts, ...rest }) => {
        expect(backoffDelay(options(rest), attempts, never)).toBe(Math.floor(model(rest, attempts)));
      }),
      SEED,
    );
  });

  it('with jitter is a whole number within its bounds', () => {
    fc.assert(
      fc.property(anyRetry, ({ attempts, chance, ...rest }) => {
        const longest = Math.floor(model(rest, attempts));
        const [full, equal] = (['full', 'equal'] as const).map((jitter) =>
          backoffDelay(options({ ...rest, jitter }), attempts, () => chance),
        );
        expect([full, equal].map(Number.isSafeInteger)).toEqual([true, true]);
        expect(full).toBeGreaterThanOrEqual(0);
        expect(full).toBeLessThanOrEqual(longest);
        expect(equal).toBeGreaterThanOrEqual(longest / 2);
        expect(equal).toBeLessThanOrEqual(longest);
      }),
      SEED,
    );
  });

  it('jitter is uniform: every whole delay comes about equally often', () => {
    const counts = (jitter: 'full' | 'equal') => {
      const counts = [0, 0, 0, 0, 0];
      for (let i = 0; i < 1000; i++) {
        counts[backoffDelay(options({ jitter, initialDelayMs: 4 }), 1, () => (i + 0.5) / 1000)] += 1;
      }
      return counts;
    };
    expect(counts('full')).toEqual([200, 200, 200, 200, 200]);
    expect(counts('equal')).toEqual([0, 0, 333, 334, 333]);
  });
});

type Plain = Pick<ResolvedRetryOptions, 'backoff' | 'initialDelayMs' | 'maxDelayMs'>;

/** The formulas by repeated addition and doubling, stopping at the cap. */
function model({ backoff, initialDelayMs: first, maxDelayMs: cap }: Plain, attempts: number): number {
  if (backoff === 'fixed') return Math.min(first, cap);
  if (backoff === 'linear') return Math.min(first * attempts, cap);
  if (backoff === 'quadratic') return Math.min(first * attempts * attempts, cap);
  let delay = first;
  for (let n = 1; n < attempts && delay < cap && delay > 0; n++) delay += delay;
  return Math.min(delay, cap);
}
