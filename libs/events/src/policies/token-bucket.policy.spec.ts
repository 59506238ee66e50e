import { describe, expect, it } from 'vitest';
import {
  fullAt,
  fullBucket,
  takeToken,
  type TokenBucketLimit,
  type TokenBucketState,
  tokensAt,
} from './token-bucket.policy.js';

/** Scope: when a token is free, and for which moment the next one is reserved. */
const T0 = 1_800_000_000_000;
/** 10 per minute, burst 15. */
const LIMIT: TokenBucketLimit = { burst: 15, intervalMs: 6000 };

/** Takes a token at each of these moments, milliseconds after T0, from a bucket that is full at T0. */
function takes(limit: TokenBucketLimit, moments: readonly number[], from = fullBucket(limit, T0)) {
  let bucket: TokenBucketState = from;
  const slots = moments.map((moment) => {
    const taken = takeToken(bucket, limit, T0 + moment);
    bucket = taken.bucket;
    return taken.slotAt === null ? 'free' : taken.slotAt - T0;
  });
  return { slots, bucket };
}

const slots = (limit: TokenBucketLimit, moments: readonly number[], from?: TokenBucketState) =>
  takes(limit, moments, from).slots;
const times = (count: number, moment = 0): number[] => Array(count).fill(moment) as number[];
const free = (count: number): string[] => Array(count).fill('free') as string[];

describe('takeToken', () => {
  it('10 per minute with burst 15: 15 run at once, the 16th waits exactly 6 s, the 17th 12 s', () => {
    expect(slots(LIMIT, times(18))).toEqual([...free(15), 6000, 12_000, 18_000]);
  });

  it('a token comes back each interval, and no sooner', () => {
    expect(slots({ burst: 2, intervalMs: 100 }, [0, 0, 99.5, 200, 300, 400, 500])).toEqual([
      ...free(2),
      100,
      'free',
      'free',
      'free',
      'free',
    ]);
  });

  it('what has come back of a token shortens the wait for it', () => {
    expect(slots({ burst: 1, intervalMs: 100 }, [0, 25])).toEqual(['free', 100]);
    expect(slots({ burst: 2, intervalMs: 100 }, [0, 0, 150, 150, 150])).toEqual(['free', 'free', 'free', 200, 300]);
  });

  it('an interval may be a fraction: 16 per second', () => {
    expect(slots({ burst: 1, intervalMs: 62.5 }, times(5))).toEqual(['free', 62.5, 125, 187.5, 250]);
  });

  it('whoever asks while slots are waiting queues behind them', () => {
    expect(slots({ burst: 1, intervalMs: 100 }, [0, 0, 0, 50, 199, 299])).toEqual(['free', 100, 200, 300, 400, 500]);
  });

  it('the moment of the last slot is free for nobody else; from there on the bucket fills from nothing', () => {
    const queue = [0, 0, 0, 0];
    expect(slots({ burst: 2, intervalMs: 100 }, [...queue, 200])).toEqual([...free(2), 100, 200, 300]);
    expect(slots({ burst: 2, intervalMs: 100 }, [...queue, 299])).toEqual([...free(2), 100, 200, 300]);
    expect(slots({ burst: 2, intervalMs: 100 }, [...queue, 300, 300])).toEqual([...free(2), 100, 200, 'free', 400]);
    expect(slots({ burst: 2, intervalMs: 100 }, [...queue, 400, 400, 400])).toEqual([
      ...free(2),
      100,
      200,
      ...free(2),
      500,
    ]);
  });

  it('holds no more than burst, however long nobody asks', () => {
    expect(slots({ burst: 2, intervalMs: 100 }, [0, ...times(3, 1e9)])).toEqual([...free(3), 1e9 + 100]);
  });

  it('does not touch the bucket that it is given', () => {
    const bucket = Object.freeze(fullBucket(LIMIT, T0));
    expect(takeToken(bucket, LIMIT, T0)).toEqual({
      bucket: { tokens: 14, refilledAt: T0, nextSlot: 0 },
      slotAt: null,
    });
    expect(bucket).toEqual({ tokens: 15, refilledAt: T0, nextSlot: 0 });
  });
});

describe('a clock that goes back', () => {
  const limit = { burst: 2, intervalMs: 100 };

  it('refills nothing, neither then nor when it catches up', () => {
    expect(slots(limit, [1000, 1000, 500, 700])).toEqual([...free(2), 1100, 1200]);
    expect(slots(limit, [1000, 500, 1000, 1000])).toEqual([...free(2), 1100, 1200]);
  });

  it('takes its token from the bucket as it has become since, also when it falls behind an old slot', () => {
    expect(slots(limit, [0, 0, 0, 1000, 50, 50, 1000])).toEqual([...free(2), 100, ...free(2), 1100, 1200]);
    const { bucket } = takes(limit, [0, 0, 0, 1000]);
    expect([50, 1000, 1050].map((moment) => tokensAt(bucket, limit, T0 + moment))).toEqual([1, 1, 1.5]);
  });
});

describe('a limit that has changed', () => {
  it('keeps the slots it has handed out, and gives the next ones at its new pace', () => {
    const { bucket } = takes({ burst: 1, intervalMs: 100 }, [0, 0, 0]);
    expect(slots({ burst: 1, intervalMs: 1000 }, [0, 0], bucket)).toEqual([1200, 2200]);
    expect(slots({ burst: 1, intervalMs: 10 }, [0, 0], bucket)).toEqual([210, 220]);
  });

  it('cuts a fuller bucket down to a lower burst, and fills it no further at once to a higher one', () => {
    const bucket = fullBucket({ burst: 3, intervalMs: 100 }, T0);
    expect(slots({ burst: 1, intervalMs: 100 }, times(2), bucket)).toEqual(['free', 100]);
    expect(slots({ burst: 5, intervalMs: 100 }, [...times(4), ...times(6, 600)], bucket)).toEqual([
      ...free(3),
      100,
      ...free(5),
      700,
    ]);
  });
});

describe('tokensAt', () => {
  it('tells how many are free, in fractions', () => {
    const limit = { burst: 2, intervalMs: 100 };
    const seen = (moments: readonly number[]) => {
      const { bucket } = takes(limit, moments);
      return [0, 50, 100, 150, 300, 1000].map((moment) => tokensAt(bucket, limit, T0 + moment));
    };
    expect(seen([])).toEqual([2, 2, 2, 2, 2, 2]);
    expect(seen([0])).toEqual([1, 1.5, 2, 2, 2, 2]);
    expect(seen([0, 0])).toEqual([0, 0.5, 1, 1.5, 2, 2]);
    expect(seen([0, 0, 0])).toEqual([0, 0, 0, 0.5, 2, 2]);
  });
});

describe('fullAt', () => {
  const limit = { burst: 2, intervalMs: 100 };
  it.each([
    ['a new one is full already', [], 0],
    ['an interval for each token taken', [0, 0], 200],
    ['and for the queue of slots before', [0, 0, 0, 0], 400],
    ['what has come back so far shortens it', [0, 0, 150], 300],
  ])('%s', (_, moments, expected) => {
    const { bucket } = takes(limit, moments);
    const full = fullAt(bucket, limit);
    expect(full - T0).toBe(expected);
    expect(tokensAt(bucket, limit, full)).toBe(2);
    expect(tokensAt(bucket, limit, full - 1) < 2).toBe(full > T0);
    // From then on as good as new.
    const later = [0, 0, 0, 50, 500].map((after) => expected + after);
    expect(slots(limit, later, bucket)).toEqual(slots(limit, later, fullBucket(limit, full)));
  });
});
