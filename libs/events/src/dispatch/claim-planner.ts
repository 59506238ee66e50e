import type { ClaimRequest, ClaimWant } from '../store/delivery.store.js';
import type { ClaimedDelivery } from '../store/records.js';
import type { Claimed, HandlerSlot } from './handler-slot.js';

export interface ClaimLimits {
  /** Node-wide: how many deliveries run at once. */
  readonly concurrency: number;
  readonly batchSize: number;
  /** Running now, over all handlers. */
  readonly running: number;
  /** Monotonic. */
  readonly now: number;
}

export type ClaimPlan = Pick<ClaimRequest, 'wants' | 'limit'>;

/** What a plan came to. */
export interface ClaimAnswer {
  readonly claimed: readonly ClaimedDelivery[];
  /** Monotonic. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** A claim of fewer begins at the beginning: it is the large ones that order no newcomer before what they bring. */
const WORTH_A_MARK = 100;

/**
 * How many deliveries of which handlers to claim now: what can start at once, and what quick handlers will have begun
 * a moment later. A handler that has work in hand asks again only when half of that is done, so claims stay large.
 * What goes beyond a handler's share of the batch grows from claim to claim: the store locks what each handler may get
 * before it takes the best of all, and twenty whole batches locked for one made such claims ten times as dear.
 */
export function planClaim(
  slots: Iterable<HandlerSlot>,
  { concurrency, batchSize, running, now }: ClaimLimits,
): ClaimPlan {
  const all = [...slots];
  const free = concurrency - running - promised(all);
  const asking: { slot: HandlerSlot; startable: number; wanted: number }[] = [];
  let room = free;
  for (const slot of all) {
    slot.maybeMore = slot.concurrency > 0 && slot.room > 0 && !slot.onTrial;
    if (slot.onTrial) continue;
    const prefetch = slot.prefetch(batchSize);
    const startable = Math.max(0, Math.min(slot.concurrency - slot.running - slot.promised, free));
    const { held } = slot;
    const wanted = Math.min(startable + prefetch - held, batchSize, slot.room - held);
    // Never less than nothing: a handler that holds too much must not take the room of others.
    room += Math.max(0, prefetch - held);
    const worthIt = slot.queue.length < startable || held <= prefetch / 2;
    if (wanted <= 0 || !worthIt) continue;
    asking.push({ slot, startable, wanted });
  }
  const share = Math.ceil(batchSize / asking.length);
  const wants = asking.map(({ slot, startable, wanted }): ClaimWant => {
    const { name: handler, ordered } = slot;
    const limit = Math.min(wanted, Math.max(startable, share, 2 * slot.lastClaim));
    const circuit = slot.breaker !== undefined;
    // The order of lanes is not that of claims: a mark would pass over what waits in one.
    return { handler, limit, circuit, ...(ordered ? { ordered } : { after: slot.mark.after(now) }) };
  });
  return { wants, limit: Math.min(room, batchSize) };
}

/**
 * What a publish to these handlers may claim with its commit: as much as they could begin at once, of those that hold
 * nothing, have found nothing more waiting, and have no limit or order that it would have to look at.
 */
export function planAlong(
  slots: Iterable<HandlerSlot> & { get(handler: string): HandlerSlot | undefined },
  handlers: Iterable<string>,
  { concurrency, running }: Pick<ClaimLimits, 'concurrency' | 'running'>,
): ClaimWant[] {
  let free = concurrency - running - promised([...slots]);
  const wants: ClaimWant[] = [];
  for (const handler of handlers) {
    const slot = slots.get(handler);
    const isIdle = slot && slot.held === 0 && !slot.maybeMore && !slot.onTrial && !slot.ordered;
    if (!isIdle || slot.room !== Infinity) continue;
    const limit = Math.min(slot.concurrency - slot.running - slot.promised, free);
    if (limit <= 0) continue;
    free -= limit;
    wants.push({ handler, limit, circuit: slot.breaker !== undefined });
  }
  return wants;
}

function promised(slots: readonly HandlerSlot[]): number {
  return slots.reduce((sum, slot) => sum + slot.promised, 0);
}

/**
 * After a claim: which handlers may have more waiting than they got, and where their next claims begin. How much is left
 * is unknown when the limit over all of them bound.
 * @returns whether a handler got less than it wanted from a claim that began at its mark, and so may have more behind it.
 */
export function noteRest(
  slots: { get(handler: string): HandlerSlot | undefined },
  plan: ClaimPlan,
  { claimed, askedAt, answeredAt }: ClaimAnswer,
): boolean {
  const got = new Map<string, { count: number; last: ClaimedDelivery }>();
  for (const delivery of claimed)
    got.set(delivery.handler, { count: (got.get(delivery.handler)?.count ?? 0) + 1, last: delivery });
  let passedOver = false;
  for (const { handler, limit, after } of plan.wants) {
    const slot = slots.get(handler);
    if (!slot) continue;
    const { count, last } = got.get(handler) ?? { count: 0, last: undefined };
    slot.lastClaim = count;
    const isShort = claimed.length < plan.limit && count < limit;
    if (claimed.length < plan.limit) slot.maybeMore = !isShort || after !== undefined;
    passedOver ||= isShort && after !== undefined;
    if (after === undefined) slot.mark.looked(askedAt, answeredAt);
    if (isShort || claimed.length < WORTH_A_MARK) slot.mark.forget();
    else if (last) slot.mark.set(last);
  }
  return passedOver;
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
