import type { EntityManager } from 'typeorm';
import type { ClaimedDelivery, Lease, Settlement } from './records.js';

export interface ClaimRequest {
  readonly node: number;
  /** How many deliveries of which handlers. Each limit is at least 1. */
  readonly wants: readonly { readonly handler: string; readonly limit: number }[];
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

/** Live deliveries: claimed, settled, given back. */
export interface DeliveryStore {
  /**
   * Makes scheduled deliveries whose time has come pending again, earliest first, at most `limit`.
   * Cheap when nothing is due. A full batch (`staged === limit`) means there may be more.
   */
  stage(now: number, limit: number): Promise<StageResult>;

  /**
   * Leases pending deliveries to the node: lower priority first, then older first, within a handler always, across
   * handlers when `limit` binds. `claims` is raised by one. No delivery is ever leased to two. Rows that another claim
   * is taking are passed over, not waited for. Deliveries of paused handlers are not claimed.
   * Answers null, and leases nothing, when the node is not registered any more (it was declared dead).
   * Large payloads (over 64 KiB) are left out: `event.payload` is null.
   */
  claim(request: ClaimRequest): Promise<ClaimedDelivery[] | null>;

  /**
   * Writes outcomes back, all or nothing, and answers per settlement whether it was written. A settlement whose lease
   * (node, claims) does not hold any more is `false`: the delivery belongs to somebody else now, or is gone; repeating
   * a settlement is harmless. Finished deliveries leave the live table and enter history or the dead letters atomically.
   */
  settle(node: number, settlements: readonly Settlement[], now: number): Promise<boolean[]>;

  /**
   * Writes one outcome as part of an open transaction of the application, with the same fence. False = the lease is
   * lost, and the caller must roll back. The row stays locked until that transaction ends.
   */
  settleIn(manager: EntityManager, node: number, settlement: Settlement, now: number): Promise<boolean>;

  /** Which of these leases the node holds no longer. */
  lostLeases(node: number, leases: readonly Lease[]): Promise<number[]>;

  /**
   * Takes a live delivery out for good, whatever its state; it ends in history as `cancelled`. A run under way loses its
   * lease. False = there is no such live delivery.
   */
  cancel(deliveryId: number, now: number): Promise<boolean>;
}
