import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fullAt,
  fullBucket,
  takeToken,
  type TokenBucketLimit,
  type TokenBucketState,
  tokensAt,
} from './token-bucket.policy.js';

/** Scope: the token bucket against the list of all it has ever handed out. Failures print the seed and the shrunk history. */
const SEED = { seed: 20261121, numRuns: 500 };
console.info(`token-bucket.model.spec: seed ${SEED.seed}`);

const T0 = 1_800_000_000_000;

/** Powers of two: doubles count them exactly. */
const exactLimit = fc.record({
  burst: fc.integer({ min: 1, max: 6 }),
  intervalMs: fc.constantFrom(0.25, 1, 8, 64, 1024),
});
const anyLimit = fc
  .record({ burst: fc.integer({ min: 1, max: 20 }), limit: fc.integer({ min: 1, max: 500 }), periodMs: fc.nat(60_000) })
  .map(({ burst, limit, periodMs }) => ({ burst, intervalMs: (periodMs + 1) / limit }));

/** How far a clock moves before the next take, as eighths of an interval: none, a bit, some intervals; now and then back. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  { weight: 5, arbitrary: fc.nat(12) },
  { weight: 3, arbitrary: fc.nat(80) },
  { weight: 1, arbitrary: fc.integer({ min: -80, max: 0 }) },
);
const steps = fc.array(step, { maxLength: 60, size: 'max' });

/** The moments of the takes. */
function moments(limit: TokenBucketLimit, eighths: readonly number[]): number[] {
  let now = T0;
  return eighths.map((count) => (now += (count * limit.intervalMs) / 8));
}

/** Takes a token at each moment, and answers when each may be used: at once means at the latest moment seen so far. */
function grants(limit: TokenBucketLimit, takes: readonly number[]) {
  let bucket: TokenBucketState = fullBucket(limit, T0);
  let latest = T0;
  const given: number[] = [];
  for (const now of takes) {
    latest = Math.max(latest, now);
    const taken = takeToken(bucket, limit, now);
    bucket = taken.bucket;
    given.push(taken.slotAt ?? latest);
  }
  return { given, bucket, latest };
}

/**
 * The rule itself: of any grant and all that follow it there are at most `burst` more than intervals in between. Answers
 * the earliest moment from `latest` on that keeps it, behind all grants so far.
 */
function earliest({ burst, intervalMs }: TokenBucketLimit, given: readonly number[], latest: number): number {
  const bounds = given.map((at, index) => at + (given.length - index + 1 - burst) * intervalMs);
  return Math.max(latest, ...given, ...bounds);
}

describe(`a bucket with any history (seed ${SEED.seed})`, () => {
  it('gives each the earliest moment that keeps the limit and the order', () => {
    const seen = { free: 0, slots: 0, back: 0 };
    fc.assert(
      fc.property(exactLimit, steps, (limit, eighths) => {
        const takes = moments(limit, eighths);
        let latest = T0;
        const expected: number[] = [];
        for (const now of takes) {
          seen.back += Number(now < latest);
          latest = Math.max(latest, now);
          const at = earliest(limit, expected, latest);
          seen[at === latest ? 'free' : 'slots'] += 1;
          expected.push(at);
        }
        expect(grants(limit, takes).given).toEqual(expected);
      }),
      SEED,
    );
    // All of it has been tried.
    expect(Object.values(seen).map((count) => count > 500)).toEqual([true, true, true]);
  });

  it('does so with any limit, to a hundredth of a millisecond', () => {
    fc.assert(
      fc.property(anyLimit, steps, (limit, eighths) => {
        const takes = moments(limit, eighths);
        const { given } = grants(limit, takes);
        let latest = T0;
        const errors = given.map((at, index) => {
          latest = Math.max(latest, takes[index]);
          return Math.abs(at - earliest(limit, given.slice(0, index), latest));
        });
        expect(Math.max(0, ...errors)).toBeLessThan(0.01);
      }),
      SEED,
    );
  });

  it('in every window at most burst and one more for each interval', () => {
    fc.assert(
      fc.property(exactLimit, steps, (limit, eighths) => {
        const { given } = grants(limit, moments(limit, eighths));
        const room = given.flatMap((from, first) =>
          given.slice(first).map((to, more) => limit.burst + (to - from) / limit.intervalMs - (more + 1)),
        );
        expect(Math.min(Infinity, ...room)).toBeGreaterThanOrEqual(0);
      }),
      SEED,
    );
  });

  it('no two reserve the same moment: slots only go up, an interval or more, and lie ahead', () => {
    fc.assert(
      fc.property(exactLimit, steps, (limit, eighths) => {
        let bucket: TokenBucketState = fullBucket(limit, T0);
        const steps: number[] = [];
        let last = -Infinity;
        for (const now of moments(limit, eighths)) {
          const { slotAt, bucket: next } = takeToken(bucket, limit, now);
          bucket = next;
          if (slotAt === null) continue;
          steps.push(slotAt > now ? slotAt - last : -Infinity);
          last = slotAt;
        }
        expect(Math.min(Infinity, ...steps)).toBeGreaterThanOrEqual(limit.intervalMs);
      }),
      SEED,
    );
  });

  it('tells exactly how many are free, at any later moment', () => {
    fc.assert(
      fc.property(exactLimit, steps, fc.nat(100), (limit, eighths, later) => {
        const { given, bucket, latest } = grants(limit, moments(limit, eighths));
        const now = latest + (later * limit.intervalMs) / 8;
        const free: number[] = [];
        while (earliest(limit, [...given, ...free], now) === now) free.push(now);
        expect(Math.floor(tokensAt(bucket, limit, now))).toBe(free.length);
      }),
      SEED,
    );
  });

  it('is full from fullAt on and not before, and then as good as new', () => {
    fc.assert(
      fc.property(exactLimit, steps, fc.array(fc.nat(40), { maxLength: 20 }), (limit, eighths, after) => {
        const { bucket } = grants(limit, moments(limit, eighths));
        const full = fullAt(bucket, limit);
        expect(tokensAt(bucket, limit, full)).toBe(limit.burst);
        const before = tokensAt(bucket, limit, full - limit.intervalMs / 8);
        expect(before < limit.burst || bucket.refilledAt === full).toBe(true);
        let [old, renewed] = [bucket, fullBucket(limit, full)];
        let now = full;
        for (const eighth of after) {
          now += (eighth * limit.intervalMs) / 8;
          const [one, other] = [takeToken(old, limit, now), takeToken(renewed, limit, now)];
          expect(one.slotAt).toBe(other.slotAt);
          [old, renewed] = [one.bucket, other.bucket];
        }
      }),
      SEED,
    );
  });
});
