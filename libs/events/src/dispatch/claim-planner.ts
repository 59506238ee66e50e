import type { ClaimRequest } from '../store/delivery.store.js';
import type { ClaimedDelivery } from '../store/records.js';
import type { Claimed, HandlerSlot } from './handler-slot.js';

export interface ClaimLimits {
  /** Node-wide: how many deliveries run at once. */
  readonly concurrency: number;
  readonly batchSize: number;
  /** Running now, over all handlers. */
  readonly running: number;
}

export type ClaimPlan = Pick<ClaimRequest, 'wants' | 'limit'>;

/**
 * How many deliveries of which handlers to claim now: what can start at once, and what quick handlers will have begun
 * a moment later. A handler that has work in hand asks again only when half of that is done, so claims stay large.
 */
export function planClaim(slots: Iterable<HandlerSlot>, { concurrency, batchSize, running }: ClaimLimits): ClaimPlan {
  const free = concurrency - running;
  const wants: { handler: string; limit: number }[] = [];
  let room = free;
  for (const slot of slots) {
    const prefetch = slot.prefetch(batchSize);
    const startable = Math.max(0, Math.min(slot.concurrency - slot.running, free));
    const held = slot.queue.length;
    const wanted = Math.min(startable + prefetch - held, batchSize);
    // Never less than nothing: a handler that holds too much must not take the room of others.
    room += Math.max(0, prefetch - held);
    const worthIt = held < startable || held <= prefetch / 2;
    slot.maybeMore = slot.concurrency > 0;
    if (wanted > 0 && worthIt) wants.push({ handler: slot.definition.name, limit: wanted });
  }
  return { wants, limit: Math.min(room, batchSize) };
}

/** After a claim: which handlers may have more waiting than they got. Unknown when the limit over all of them bound. */
export function noteRest(
  slots: ReadonlyMap<string, HandlerSlot>,
  plan: ClaimPlan,
  claimed: readonly ClaimedDelivery[],
): void {
  if (claimed.length >= plan.limit) return;
  const got = new Map<string, number>();
  for (const { handler } of claimed) got.set(handler, (got.get(handler) ?? 0) + 1);
  for (const { handler, limit } of plan.wants) {
    const slot = slots.get(handler);
    if (slot) slot.maybeMore = (got.get(handler) ?? 0) >= limit;
  }
}

/**
 * Whether some handler that could use every free slot of the node has run out of claimed work, and may have better
 * waiting than this: then the store is asked before something worse, claimed ahead, takes the place.
 */
export function mayHaveBetter(slots: Iterable<HandlerSlot>, { delivery }: Claimed, free: number): boolean {
  for (const slot of slots) {
    const dry = slot.queue.length === 0 && slot.maybeMore;
    if (dry && slot.lastPriority < delivery.priority && slot.concurrency - slot.running >= free) return true;
  }
  return false;
}
