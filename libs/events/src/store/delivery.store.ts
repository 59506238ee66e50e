import type { EntityManager } from 'typeorm';
import type { ClaimedDelivery, HeldLease, Lease, Settlement } from './records.js';

/** The place of a delivery in its handler's order of claims. */
export interface ClaimPlace {
  readonly priority: number;
  readonly id: number;
}

/** How many deliveries of which handler. */
export interface ClaimWant {
  readonly handler: string;
  /** At least 1. */
  readonly limit: number;
  /** None unless its circuit is closed. */
  readonly circuit?: boolean;
  /** Must be said of a handler that the cluster has as ordered (`HandlerState`): else nothing of it is claimed. */
  readonly ordered?: boolean;
  /**
   * A hint: the store need not look at what comes at this place or before it, suspects apart. Where deleted rows pile up
   * at the head of an index, it spares the claim the way through them. All that comes after it is claimed as ever.
   */
  readonly after?: ClaimPlace;
}

export interface ClaimRequest {
  readonly node: number;
  readonly wants: readonly ClaimWant[];
  /** At most this many in all, best first: lower priority, then older. */
  readonly limit: number;
  /** Whether one suspect (a delivery that a node died with) may be among them. Never more than one. */
  readonly suspect: boolean;
}

export interface StageResult {
  /** How many became pending. */
  readonly staged: number;
  /** The next due time after those, or null when nothing is scheduled. */
  readonly nextDueAt: number | null;
}

/**
 * Live deliveries: claimed, settled, given back.
 *
 * **Lanes.** The deliveries of an ordered handler with one ordering key are a lane. Its members are its live deliveries
 * and its blocking dead letters (those that died while the handler's `onDeadLetter` was `block`), in order of their
 * events' `seq`; a redriven letter is where it was. Of a lane nothing is claimed
 *
 * - while any delivery of it is leased, to whomever;
 * - while its first member is a dead letter, waits for a time, or is a suspect that may not be claimed;
 * - past a raw event of its ordering key: that one's delivery may be yet to come.
 *
 * Else its first delivery is claimed, or a *run*: the first with those that follow it without a gap, for the node to
 * attempt one after another. A run ends before whatever would keep the lane waiting, and a suspect is a run by itself.
 * First come the heads of lanes, by the most urgent pending delivery of each, with the deliveries of other handlers; runs
 * grow by what is left of the limits, and with dozens of lanes at hand a store may let them grow before it looks for more. Inside a lane priority means nothing.
 *
 * Whatever verb ends a lease, removes a member or adds one leaves the lane so that its first delivery is claimed as soon
 * as the rules allow it; no delivery waits for something that is gone. Handlers are lanes apart, and a delivery without
 * ordering key, or of a handler that is not ordered, is in none.
 */
export interface DeliveryStore {
  /**
   * Makes scheduled deliveries whose time has come pending again, earliest first, at most `limit`.
   * Cheap when nothing is due. A full batch (`staged === limit`) means there may be more.
   */
  stage(now: number, limit: number): Promise<StageResult>;

  /**
   * Leases pending deliveries to the node: lower priority first, then older first, within a handler always, across
   * handlers when `limit` binds. `claims` is raised by one. No delivery is ever leased to two. Rows that another claim
   * is taking are passed over, not waited for. Deliveries of paused and of retired handlers are not claimed.
   * Of lanes see above; deliveries of one lane are answered in the lane's order, one after the other.
   * Answers null, and leases nothing, when the node is not registered any more (it was declared dead).
   * Large payloads (over 64 KiB) are left out: `event.payload` is null.
   */
  claim(request: ClaimRequest): Promise<ClaimedDelivery[] | null>;

  /**
   * Writes outcomes back, all or nothing, and answers per settlement whether it was written. A settlement whose lease
   * (node, claims) does not hold any more is `false`: the delivery belongs to somebody else now, or is gone; repeating
   * a settlement is harmless. Finished deliveries leave the live table and enter history or the dead letters atomically.
   * What is given back inside a run keeps its place in the lane.
   * A delivery that dies publishes its notice (`deadLetterNotice`) in the same transaction, stored raw, if any handler
   * subscribes under `events.`; one whose own event is under `events.` publishes none.
   * @throws OutcomeRefusedError when the database does not take the data of one of them, and never will.
   */
  settle(node: number, settlements: readonly Settlement[], now: number): Promise<boolean[]>;

  /**
   * Writes one outcome as part of an open transaction of the application, with the same fence. False = the lease is
   * lost, and the caller must roll back. The row stays locked until that transaction ends.
   */
  settleIn(manager: EntityManager, node: number, settlement: Settlement, now: number): Promise<boolean>;

  /** Which of these leases the node holds no longer. */
  lostLeases(node: number, leases: readonly Lease[]): Promise<number[]>;

  /** All leases that the node holds. May be slow: for a node that has had no answer to a claim. */
  heldLeases(node: number): Promise<HeldLease[]>;

  /**
   * Takes a live delivery out for good, whatever its state; it ends in history as `cancelled`. A run under way loses its
   * lease. False = there is no such live delivery.
   */
  cancel(deliveryId: number, now: number): Promise<boolean>;
}
