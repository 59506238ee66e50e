import type { ClaimRequest } from '../store/delivery.store.js';
import type { HandlerSlot } from './handler-slot.js';

export interface ClaimLimits {
  /** Node-wide: how many deliveries run at once. */
  readonly concurrency: number;
  readonly batchSize: number;
  /** Running now, over all handlers. */
  readonly running: number;
}

/**
 * How many deliveries of which handlers to claim now: what can start at once, and what quick handlers will have begun
 * a moment later. A handler that has work in hand asks again only when half of that is done, so claims stay large.
 */
export function planClaim(
  slots: Iterable<HandlerSlot>,
  { concurrency, batchSize, running }: ClaimLimits,
): Pick<ClaimRequest, 'wants' | 'limit'> {
  const free = concurrency - running;
  const wants: { handler: string; limit: number }[] = [];
  let room = free;
  for (const slot of slots) {
    const prefetch = slot.prefetch(batchSize);
    const startable = Math.max(0, Math.min(slot.concurrency - slot.running, free));
    const held = slot.queue.length;
    const wanted = Math.min(startable + prefetch - held, batchSize);
    room += prefetch - held;
    const worthIt = held < startable || held <= prefetch / 2;
    slot.maybeMore = slot.concurrency > 0;
    if (wanted > 0 && worthIt) wants.push({ handler: slot.definition.name, limit: wanted });
  }
  return { wants, limit: Math.max(0, Math.min(room, batchSize)) };
}
