import {
  fullAt,
  fullBucket,
  takeToken,
  type TokenBucketLimit,
  type TokenBucketState,
  tokensAt,
} from './token-bucket.policy.js';

/** Buckets are looked through for forgettable ones when there are twice as many as were left the last time; at least so many. */
const FEWEST_TO_SWEEP = 1_000;

/** Token buckets by key, in memory. A bucket that is full again is as good as none and gets forgotten. */
export class TokenBuckets {
  private readonly buckets = new Map<string, { bucket: TokenBucketState; fullAt: number }>();
  private sweepAt = FEWEST_TO_SWEEP;

  /** How many are kept. */
  get size(): number {
    return this.buckets.size;
  }

  /** Takes a token, or reserves the next slot (rounded up); `nextSlot` tells when others may have one. */
  take(key: string, limit: TokenBucketLimit, now: number): { slotAt: number | null; tokens: number; nextSlot: number } {
    const before = this.buckets.get(key)?.bucket ?? fullBucket(limit, now);
    const { bucket, slotAt } = takeToken(before, limit, now);
    this.buckets.set(key, { bucket, fullAt: fullAt(bucket, limit) });
    if (this.buckets.size > this.sweepAt) {
      this.sweep(now, Infinity);
      this.sweepAt = Math.max(FEWEST_TO_SWEEP, 2 * this.buckets.size);
    }
    return {
      slotAt: slotAt === null ? null : Math.ceil(slotAt),
      tokens: tokensAt(bucket, limit, now),
      nextSlot: Math.ceil(bucket.nextSlot),
    };
  }

  /** Forgets buckets that are full, at most so many; answers how many it forgot. */
  sweep(now: number, limit: number): number {
    let forgotten = 0;
    for (const [key, { fullAt }] of this.buckets) {
      if (forgotten >= limit) break;
      if (fullAt < now && this.buckets.delete(key)) forgotten++;
    }
    return forgotten;
  }
}
