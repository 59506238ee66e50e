import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BackoffKind, JitterKind, ResolvedRetryOptions } from '../discovery/on-event.options.js';
import { backoffDelay } from './backoff.policy.js';

/** Scope: every backoff against its formula in whole numbers of any size. Failures print the seed and the shrunk case. */
const SEED = { seed: 20261121, numRuns: 2000 };
console.info(`backoff.model.spec: seed ${SEED.seed}`);

const KINDS: readonly BackoffKind[] = ['fixed', 'linear', 'exponential', 'quadratic'];
const JITTERS: readonly JitterKind[] = ['none', 'full', 'equal'];

/** Small, as people set them, and up to the longest that a double counts exactly. */
const delay = fc.oneof(fc.nat(20), fc.nat(1_000_000), fc.maxSafeNat());
const attempts = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 10_000 }));
/** As `Math.random` answers; its ends more often. */
const chance = fc.oneof(
  fc.constantFrom(0, 0.5, 1 - 2 ** -53),
  fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
);
const limits = { initialDelayMs: delay, maxDelayMs: delay, jitter: fc.constantFrom(...JITTERS) };
const anyKind = fc.record({ ...limits, backoff: fc.constantFrom(...KINDS) });

const resolved = (changes: Omit<ResolvedRetryOptions, 'maxAttempts' | 'retryIf'>): ResolvedRetryOptions => ({
  maxAttempts: 20_000,
  retryIf: undefined,
  ...changes,
});

/** The formulas as the options describe them, in numbers that cannot overflow. */
function formula(backoff: BackoffKind, first: bigint, n: bigint): bigint {
  return {
    fixed: () => first,
    linear: () => first * n,
    exponential: () => first * 2n ** (n - 1n),
    quadratic: () => first * n * n,
  }[backoff]();
}

/** The least and the most that a delay may be with this jitter. */
function range(jitter: JitterKind, longest: number): [least: number, most: number] {
  return [{ none: longest, full: 0, equal: Math.ceil(longest / 2) }[jitter], longest];
}

const never = () => expect.unreachable('a formula has no faults');

describe(`a backoff with any options (seed ${SEED.seed})`, () => {
  it('is its formula, capped and jittered, a whole number at any attempt', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(anyKind, attempts, chance, (options, attempts, chance) => {
        const { backoff, jitter, initialDelayMs, maxDelayMs } = options;
        const wanted = formula(backoff, BigInt(initialDelayMs), BigInt(attempts));
        const isCapped = wanted > BigInt(maxDelayMs);
        const [least, most] = range(jitter, isCapped ? maxDelayMs : Number(wanted));
        const delayMs = backoffDelay(resolved(options), attempts, () => chance, never);
        const share = BigInt(Math.floor(chance * 2 ** 53)) * BigInt(most - least + 1);
        seen.add([backoff, jitter, isCapped ? 'capped' : 'free'].join(' '));
        expect(Number.isSafeInteger(delayMs)).toBe(true);
        // Each whole delay has an equal share of the chances; those are doubles, so with a great range it is one off at most.
        expect(Math.abs(delayMs - least - Number(share / 2n ** 53n))).toBeLessThanOrEqual(
          most - least > 2 ** 40 ? 1 : 0,
        );
        expect([delayMs >= least, delayMs <= most]).toEqual([true, true]);
      }),
      SEED,
    );
    expect(seen.size).toBe(KINDS.length * JITTERS.length * 2);
  });

  it('the ends of the chances are the ends of the range', () => {
    fc.assert(
      fc.property(anyKind, attempts, (options, attempts) => {
        const at = (chance: number) => backoffDelay(resolved(options), attempts, () => chance, never);
        const longest = backoffDelay(resolved({ ...options, jitter: 'none' }), attempts, never, never);
        expect([at(0), at(1 - 2 ** -53)]).toEqual(range(options.jitter, longest));
      }),
      SEED,
    );
  });

  it('never shrinks from one attempt to the next, without jitter', () => {
    fc.assert(
      fc.property(anyKind, attempts, (options, attempts) => {
        const retry = resolved({ ...options, jitter: 'none' });
        const [one, next] = [attempts, attempts + 1].map((n) => backoffDelay(retry, n, never, never));
        expect(next).toBeGreaterThanOrEqual(one);
      }),
      SEED,
    );
  });

  it('of a function is its answer, capped and whole; any other answer, or none, is a fault and maxDelay', () => {
    const answer = fc.oneof(fc.double(), delay, fc.anything());
    const seen = { delays: 0, faults: 0, thrown: 0 };
    fc.assert(
      fc.property(fc.record(limits), answer, fc.boolean(), attempts, chance, (options, answer, throws, ...rest) => {
        const [attempts, chance] = rest;
        const asked: number[] = [];
        const faults: unknown[] = [];
        const backoff = (n: number) => {
          asked.push(n);
          if (throws) throw answer;
          return answer as number;
        };
        const isDelay = !throws && typeof answer === 'number' && answer >= 0;
        const longest = isDelay ? Math.floor(Math.min(answer, options.maxDelayMs)) : options.maxDelayMs;
        const [least, most] = range(options.jitter, longest);
        const retry = resolved({ ...options, backoff });
        const delayMs = backoffDelay(
          retry,
          attempts,
          () => chance,
          (fault) => faults.push(fault),
        );
        seen[throws ? 'thrown' : isDelay ? 'delays' : 'faults'] += 1;
        expect([asked, faults.length]).toEqual([[attempts], isDelay ? 0 : 1]);
        expect(throws ? Object.is(faults[0], answer) : isDelay || faults[0] instanceof Error).toBe(true);
        expect([Number.isSafeInteger(delayMs), delayMs >= least, delayMs <= most]).toEqual([true, true, true]);
        // A fault that nobody wants to hear of changes nothing.
        expect(backoffDelay(retry, attempts, () => chance)).toBe(delayMs);
      }),
      SEED,
    );
    expect(Object.values(seen).map((count) => count > 200)).toEqual([true, true, true]);
  });
});
