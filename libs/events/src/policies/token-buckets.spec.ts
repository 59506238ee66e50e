/** Scope: buckets by key in bounded memory; what a take does to one bucket has a spec of its own. */
import { describe, expect, it } from 'vitest';
import { TokenBuckets } from './token-buckets.js';

const limit = { burst: 2, intervalMs: 100 };

describe('token buckets', () => {
  it('are one for each key, full at first, with slots in whole milliseconds', () => {
    const buckets = new TokenBuckets();
    const thirds = { burst: 1, intervalMs: 100 / 3 };
    expect([1, 2, 3].map(() => buckets.take('a', thirds, 1_000))).toEqual([
      { slotAt: null, tokens: 0, nextSlot: 0 },
      { slotAt: 1_034, tokens: 0, nextSlot: 1_034 },
      { slotAt: 1_067, tokens: 0, nextSlot: 1_067 },
    ]);
    expect(buckets.take('b', limit, 1_000)).toEqual({ slotAt: null, tokens: 1, nextSlot: 0 });
    expect(buckets.size).toBe(2);
  });

  it('are kept as long as they are not full, so that a sweep gives no token away', () => {
    const [swept, left] = [new TokenBuckets(), new TokenBuckets()];
    for (const now of [0, 0, 0, 40, 250, 299, 300, 301, 500, 501, 502]) {
      swept.sweep(now, Infinity);
      expect(swept.take('a', limit, now)).toEqual(left.take('a', limit, now));
    }
  });

  it('are forgotten once they are full again, at most as many as asked', () => {
    const buckets = new TokenBuckets();
    for (const key of ['a', 'b', 'c']) buckets.take(key, limit, 0);
    buckets.take('busy', limit, 50);
    expect([buckets.sweep(100, Infinity), buckets.sweep(101, 2), buckets.sweep(101, 2), buckets.sweep(101, 2)]).toEqual(
      [0, 2, 1, 0],
    );
    expect(buckets.size).toBe(1);
  });

  it('are no more than twice those that mean something, though nobody sweeps', () => {
    const buckets = new TokenBuckets();
    let most = 0;
    for (let now = 0; now < 20_000; now++) {
      buckets.take(`key ${now}`, limit, now);
      most = Math.max(most, buckets.size);
    }
    expect(most).toBe(1_000);
  });

  it('that are in use may be as many as there are, and are looked through when they have doubled', () => {
    const buckets = new TokenBuckets();
    for (let index = 0; index < 3_000; index++) buckets.take(`key ${index}`, limit, 0);
    expect(buckets.size).toBe(3_000);
    // The last look left 2,003: the next comes above 4,006.
    for (let index = 0; index < 1_006; index++) buckets.take(`late ${index}`, limit, 500);
    expect(buckets.size).toBe(4_006);
    buckets.take('one more', limit, 500);
    expect(buckets.size).toBe(1_007);
  });
});
