import { fullAt, fullBucket, takeToken, type TokenBucketState, tokensAt } from '../../policies/token-bucket.policy.js';
import type { TokenAnswer, TokenTake } from '../../store/chain.store.js';
import { type HandlerKey, inLockOrder, textOf } from './handler-keys.js';

/** A token bucket's row, or what is to become of it. */
export interface BucketRow extends HandlerKey {
  tokens: number;
  refilled_at: number;
  next_slot: number;
  full_at: number;
}

/** What each take gets, one after the other, and how they leave the buckets, in the order of locks. Unknown ones are full. */
export function spendTokens(
  takes: readonly TokenTake[],
  known: readonly BucketRow[],
  now: number,
): { answers: TokenAnswer[]; buckets: BucketRow[] } {
  const states = new Map(known.map((row) => [textOf(row), toState(row)]));
  const buckets = new Map<string, BucketRow>();
  const answers = takes.map((take) => {
    const name = textOf(take);
    const { bucket, slotAt } = takeToken(states.get(name) ?? fullBucket(take, now), take, now);
    states.set(name, bucket);
    buckets.set(name, toRow(take, bucket));
    return {
      slotAt: slotAt === null ? null : Math.ceil(slotAt),
      tokens: tokensAt(bucket, take, now),
      nextSlot: Math.ceil(bucket.nextSlot),
    };
  });
  return { answers, buckets: [...buckets.values()].toSorted(inLockOrder) };
}

function toState(row: BucketRow): TokenBucketState {
  return { tokens: row.tokens, refilledAt: row.refilled_at, nextSlot: row.next_slot };
}

function toRow(take: TokenTake, bucket: TokenBucketState): BucketRow {
  const { handler, key } = take;
  const { tokens, refilledAt, nextSlot } = bucket;
  // Rounded down: it is compared with whole moments that are later.
  const full_at = Math.floor(fullAt(bucket, take));
  return { handler, key, tokens, refilled_at: refilledAt, next_slot: nextSlot, full_at };
}
