/** A rate limit as numbers. */
export interface TokenBucketLimit {
  /** Most tokens that the bucket holds; it starts full. At least 1. */
  readonly burst: number;
  /** Milliseconds in which one token comes back: period / limit. May be a fraction. */
  readonly intervalMs: number;
}

/** A bucket at some moment. All times are epoch milliseconds and may be fractions. */
export interface TokenBucketState {
  /** 0..burst, as of `refilledAt`. */
  readonly tokens: number;
  readonly refilledAt: number;
  /** The slot handed out last. Before that moment nothing is free: whoever asks queues behind it. */
  readonly nextSlot: number;
}

/** What a take answers. */
export interface TokenTaken {
  readonly bucket: TokenBucketState;
  /** Null = a token was free and is taken. Else the moment for which the next token is now reserved for the caller. */
  readonly slotAt: number | null;
}

/** The bucket of a key that nobody has used yet. */
export function fullBucket({ burst }: TokenBucketLimit, now: number): TokenBucketState {
  return { tokens: burst, refilledAt: now, nextSlot: 0 };
}

/**
 * Takes a token, or reserves the next slot when none is free: n callers who ask at once get n different moments, so each
 * comes back once, when its own token is due. A token bucket with reservations, as in Go's `golang.org/x/time/rate`
 * (`Reserve`); equal to the generic cell rate algorithm (ITU-T I.371) with `intervalMs` as increment.
 *
 * Refill is continuous, so tokens are fractions. A `now` that is behind what the bucket has seen (clocks of two nodes)
 * refills nothing. A limit that has changed since applies from now on.
 */
export function takeToken(bucket: TokenBucketState, limit: TokenBucketLimit, now: number): TokenTaken {
  const { intervalMs } = limit;
  // Not `now` alone: to one that is behind an old slot would be waiting again, and the take would cost no token.
  const refilledAt = Math.max(bucket.refilledAt, now);
  if (bucket.nextSlot > refilledAt) {
    const slotAt = bucket.nextSlot + intervalMs;
    return { bucket: { ...bucket, nextSlot: slotAt }, slotAt };
  }
  const tokens = tokensAt(bucket, limit, now);
  if (tokens >= 1) return { bucket: { tokens: tokens - 1, refilledAt, nextSlot: bucket.nextSlot }, slotAt: null };
  // Whatever has come back so far goes into that slot; from there on the bucket fills from nothing.
  const slotAt = refilledAt + (1 - tokens) * intervalMs;
  return { bucket: { tokens: 0, refilledAt, nextSlot: slotAt }, slotAt };
}

/** Tokens that are free at this moment; a fraction. None while slots are waiting: the bucket has been empty since the first. */
export function tokensAt(bucket: TokenBucketState, { burst, intervalMs }: TokenBucketLimit, now: number): number {
  const refilling = Math.max(0, now - Math.max(bucket.refilledAt, bucket.nextSlot));
  return Math.min(burst, bucket.tokens + refilling / intervalMs);
}

/** When the bucket is full again: from then on it is the same as a new one, and can be forgotten. */
export function fullAt(bucket: TokenBucketState, { burst, intervalMs }: TokenBucketLimit): number {
  return Math.max(bucket.refilledAt, bucket.nextSlot) + (burst - bucket.tokens) * intervalMs;
}
