import { TokenBuckets } from '../../policies/token-buckets.js';
import { RESERVED_PREFIX } from '../../envelope/event-type-name.js';
import { deadLetterNotice } from '../dead-letter-notice.js';
import type { Topic } from '../event-store.js';
import type {
  AttemptFailure,
  DeadReason,
  Lease,
  NewDelivery,
  NewEvent,
  NodeRecord,
  Settlement,
  SettlementOutcome,
} from '../records.js';
import { Heap } from './heap.js';
import { MemoryKeys } from './memory-keys.js';
import { MemoryLanes } from './memory-lanes.js';
import { MemoryLocks } from './memory-locks.js';
import { deadLetterRecord } from './memory-records.js';
import { MemoryRegistry } from './memory-registry.js';
import { type DeliveryRow, type EventRow, eventRow } from './memory-rows.js';
import type { MemoryTransaction } from './memory-transaction.js';
import { PendingQueue } from './pending-queue.js';

/**
 * The data of in-memory stores; those that are given the same one see the same events, as nodes on one database do.
 * Every method is one step that leaves the rows, the queues and the maps in agreement, so it can be called between any
 * two awaits. For tests that look at what a store does; applications have no business with it.
 */
export class MemoryDatabase {
  readonly eventsById = new Map<string, EventRow>();
  readonly eventsBySeq = new Map<number, EventRow>();
  /** Oldest first. */
  readonly raw = new Set<EventRow>();
  /** Pending, scheduled, processing. */
  readonly live = new Map<number, DeliveryRow>();
  readonly history = new Map<number, DeliveryRow>();
  readonly dead = new Map<number, DeliveryRow>();
  readonly nodes = new Map<number, NodeRecord>();
  readonly registry = new MemoryRegistry(this.nodes);
  readonly keys = new MemoryKeys();
  readonly buckets = new TokenBuckets();
  readonly lanes = new MemoryLanes();
  readonly locks = new MemoryLocks();
  /** By manager, ended ones too. */
  readonly transactions = new WeakMap<object, MemoryTransaction>();
  /** Who is told, by the store that asked. */
  readonly listeners = new Map<object, Set<(topic: Topic) => void>>();
  private readonly pending = new Map<string, PendingQueue>();
  private readonly scheduled = new Heap<DeliveryRow>((a, b) => dueBefore(a, b));
  private lastSeq = 0;
  private lastDelivery = 0;
  private lastNode = 0;

  nextNodeId(): number {
    return ++this.lastNode;
  }

  insertEvent(event: NewEvent, now: number, fannedOut: boolean): void {
    const row = eventRow(event, ++this.lastSeq, now);
    this.eventsById.set(event.id, row);
    this.eventsBySeq.set(row.stored.seq, row);
    if (fannedOut) this.insertDeliveries(row, event.deliveries, now);
    else this.raw.add(row);
  }

  insertDeliveries(event: EventRow, deliveries: readonly NewDelivery[], now: number): void {
    const isLate = event.availableAt !== null && event.availableAt > now;
    for (const { handler, priority, orderingKey } of deliveries) {
      const row: DeliveryRow = {
        id: ++this.lastDelivery,
        event,
        handler,
        priority,
        orderingKey,
        parked: false,
        blocks: false,
        state: 'pending',
        availableAt: null,
        // A delay may be over before the event is fanned out.
        dueAt: Math.max(event.stored.receivedAt, event.availableAt ?? 0),
        leaseNode: null,
        claims: 0,
        attempts: 0,
        crashes: 0,
        rateSlot: null,
        failures: [],
        end: null,
      };
      event.deliveries.add(row);
      this.live.set(row.id, row);
      this.lanes.enter(row);
      if (isLate) this.schedule(row, event.availableAt);
      else this.makePending(row);
    }
  }

  queue(handler: string): PendingQueue | undefined {
    return this.pending.get(handler);
  }

  /** The scheduled delivery that is due first. */
  get nextScheduled(): DeliveryRow | undefined {
    while (this.scheduled.first && this.scheduled.first.state !== 'scheduled') this.scheduled.pop();
    return this.scheduled.first;
  }

  /** Makes pending what `nextScheduled` answered. */
  stage(row: DeliveryRow): void {
    this.scheduled.pop();
    row.dueAt = row.availableAt ?? row.dueAt;
    this.makePending(row);
  }

  lease(row: DeliveryRow, node: number): void {
    row.state = 'processing';
    row.leaseNode = node;
    row.claims++;
    row.parked = false;
    this.lanes.of(row)?.leased.add(row);
  }

  /** The delivery that this lease is for, if it still holds. */
  leased(node: number, lease: Lease): DeliveryRow | undefined {
    const row = this.live.get(lease.id);
    return row && row.leaseNode === node && row.claims === lease.claims ? row : undefined;
  }

  /** Writes an outcome about a leased delivery. `failure` is the outcome's, as JSON. */
  writeOutcome(
    row: DeliveryRow,
    settlement: SettlementOutcome & Pick<Settlement, 'key'>,
    failure: string | null,
    now: number,
  ): void {
    if (settlement.key) {
      const state = settlement.outcome === 'completed' ? 'completed' : 'failed';
      this.keys.end(row.handler, settlement.key.key, row.id, state, settlement.key.expiresAt);
    }
    row.rateSlot = 'rateSlot' in settlement ? (settlement.rateSlot ?? null) : null;
    if (failure !== null) {
      row.attempts++;
      row.failures.push(failure);
    }
    if (settlement.outcome === 'released') this.makePending(row);
    else if (settlement.outcome === 'retry' || settlement.outcome === 'snoozed') {
      this.schedule(row, settlement.availableAt);
    } else if (settlement.outcome === 'dead') this.bury(row, settlement.reason, now);
    else this.finish(row, settlement.outcome, settlement.attempts, settlement.durationMs, now);
  }

  cancel(row: DeliveryRow, now: number): void {
    this.finish(row, 'cancelled', row.attempts + row.crashes, 0, now);
  }

  /** Ends the lease of a delivery whose node is gone; without a failure, it had not begun. */
  takeBack(row: DeliveryRow, failure?: AttemptFailure): void {
    if (failure) {
      row.crashes++;
      row.rateSlot = null;
      row.failures.push(JSON.stringify(failure));
    }
    this.makePending(row);
  }

  /** Puts a dead letter back into the live deliveries, to wait until `availableAt` if that is given. */
  revive(row: DeliveryRow, now: number, availableAt: number | null = null): void {
    this.dead.delete(row.id);
    this.live.set(row.id, row);
    row.blocks = false;
    this.lanes.enter(row);
    row.attempts = row.crashes = 0;
    row.end = null;
    row.dueAt = now;
    if (availableAt === null) this.makePending(row);
    else this.schedule(row, availableAt);
  }

  /** Makes a live or dead delivery another handler's. */
  rename(row: DeliveryRow, handler: string): void {
    const isMember = row.state !== 'dead' || row.blocks;
    if (isMember) this.leaveLane(row);
    row.handler = handler;
    row.parked = false;
    if (isMember) this.lanes.enter(row);
    if (row.state === 'pending') this.makePending(row);
  }

  /** Takes a live delivery out of its lane for good. */
  unorder(row: DeliveryRow): void {
    this.leaveLane(row);
    row.orderingKey = null;
    row.parked = false;
    if (row.state === 'pending') this.makePending(row);
  }

  /** Lets the lane of a dead letter go on. */
  unblock(row: DeliveryRow): void {
    if (!row.blocks) return;
    row.blocks = false;
    this.leaveLane(row);
  }

  /** Makes all that is live or dead, and the keys, of one handler another's. */
  adopt(from: string, to: string): void {
    for (const rows of [this.live, this.dead]) {
      for (const row of rows.values()) if (row.handler === from) this.rename(row, to);
    }
    this.keys.adopt(from, to);
  }

  /** Makes a live delivery a dead letter, and stores its notice if there may be anybody who wants it. */
  bury(row: DeliveryRow, reason: DeadReason, now: number): void {
    this.leaveLive(row, 'dead');
    const handler = this.registry.get(row.handler);
    row.blocks = row.orderingKey !== null && handler?.ordered === true && handler.onDeadLetter === 'block';
    if (row.blocks) this.lanes.enter(row);
    this.wake(row);
    row.end = { at: now, attempts: row.attempts + row.crashes, durationMs: null, reason };
    this.dead.set(row.id, row);
    if (!this.registry.hasSubscriptionUnder(RESERVED_PREFIX)) return;
    const notice = deadLetterNotice(deadLetterRecord(row), row.claims);
    if (notice && !this.eventsById.has(notice.id)) this.insertEvent(notice, now, false);
  }

  /** Deletes a delivery that is finished or dead. */
  forget(row: DeliveryRow): void {
    this.history.delete(row.id);
    this.dead.delete(row.id);
    row.event.deliveries.delete(row);
    row.state = 'gone';
    this.unblock(row);
  }

  forgetEvent(row: EventRow): void {
    this.eventsById.delete(row.stored.id);
    this.eventsBySeq.delete(row.stored.seq);
  }

  private makePending(row: DeliveryRow): void {
    row.state = 'pending';
    row.availableAt = null;
    this.endLease(row);
    let queue = this.pending.get(row.handler);
    if (!queue) this.pending.set(row.handler, (queue = new PendingQueue(row.handler)));
    queue.push(row);
  }

  private schedule(row: DeliveryRow, availableAt: number | null): void {
    row.state = 'scheduled';
    row.availableAt = availableAt;
    this.endLease(row);
    this.scheduled.push(row);
  }

  private finish(
    row: DeliveryRow,
    outcome: 'completed' | 'duplicate' | 'cancelled',
    attempts: number,
    durationMs: number,
    now: number,
  ): void {
    this.leaveLive(row, outcome);
    row.end = { at: now, attempts, durationMs, reason: null };
    this.history.set(row.id, row);
  }

  private leaveLive(row: DeliveryRow, state: DeliveryRow['state']): void {
    this.live.delete(row.id);
    row.state = state;
    // `availableAt` stays: a row cancelled while scheduled is in the heap until it comes up, and must keep its place there.
    this.endLease(row);
    this.leaveLane(row);
  }

  private endLease(row: DeliveryRow): void {
    row.leaseNode = null;
    if (this.lanes.of(row)?.leased.delete(row)) this.wake(row);
  }

  private leaveLane(row: DeliveryRow): void {
    this.lanes.leave(row);
    this.wake(row);
  }

  /** The lane of this delivery, in it or not, has changed: its first is worth a look again. */
  private wake(row: DeliveryRow): void {
    const first = this.lanes.of(row)?.first;
    if (!first?.parked) return;
    first.parked = false;
    this.makePending(first);
  }
}

function dueBefore(a: DeliveryRow, b: DeliveryRow): boolean {
  const [dueA, dueB] = [a.availableAt ?? 0, b.availableAt ?? 0];
  return dueA === dueB ? a.id < b.id : dueA < dueB;
}
