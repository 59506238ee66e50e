import type {
  AttemptFailure,
  DeadReason,
  Lease,
  NewDelivery,
  NewEvent,
  NodeRecord,
  SettlementOutcome,
} from '../records.js';
import { Heap } from './heap.js';
import { MemoryLocks } from './memory-locks.js';
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
  readonly registry = new MemoryRegistry((node) => this.nodes.has(node));
  readonly locks = new MemoryLocks();
  /** By manager, ended ones too. */
  readonly transactions = new WeakMap<object, MemoryTransaction>();
  /** Who is told of work, by the store that asked. */
  readonly listeners = new Map<object, Set<() => void>>();
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
    for (const { handler, priority } of deliveries) {
      const row: DeliveryRow = {
        id: ++this.lastDelivery,
        event,
        handler,
        priority,
        state: 'pending',
        availableAt: null,
        leaseNode: null,
        claims: 0,
        attempts: 0,
        crashes: 0,
        failures: [],
        end: null,
      };
      event.deliveries.add(row);
      this.live.set(row.id, row);
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
    this.makePending(row);
  }

  /** The delivery that this lease is for, if it still holds. */
  leased(node: number, lease: Lease): DeliveryRow | undefined {
    const row = this.live.get(lease.id);
    return row && row.leaseNode === node && row.claims === lease.claims ? row : undefined;
  }

  /** Writes an outcome about a leased delivery. `failure` is the outcome's, as JSON. */
  writeOutcome(row: DeliveryRow, settlement: SettlementOutcome, failure: string | null, now: number): void {
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

  /** Ends the lease of a delivery whose node is gone. */
  chargeCrash(row: DeliveryRow, nodeLabel: string, now: number): void {
    const failure: AttemptFailure = {
      at: now,
      attempt: row.attempts + row.crashes + 1,
      name: 'node-lost',
      message: 'the node that ran this attempt is gone',
      node: nodeLabel,
    };
    row.crashes++;
    row.failures.push(JSON.stringify(failure));
    this.makePending(row);
  }

  /** Puts a dead letter back into the live deliveries. */
  revive(row: DeliveryRow): void {
    this.dead.delete(row.id);
    this.live.set(row.id, row);
    row.attempts = row.crashes = 0;
    row.end = null;
    this.makePending(row);
  }

  /** Deletes a delivery that is finished or dead. */
  forget(row: DeliveryRow): void {
    this.history.delete(row.id);
    this.dead.delete(row.id);
    row.event.deliveries.delete(row);
    row.state = 'gone';
  }

  forgetEvent(row: EventRow): void {
    this.eventsById.delete(row.stored.id);
    this.eventsBySeq.delete(row.stored.seq);
  }

  private makePending(row: DeliveryRow): void {
    row.state = 'pending';
    row.availableAt = null;
    row.leaseNode = null;
    let queue = this.pending.get(row.handler);
    if (!queue) this.pending.set(row.handler, (queue = new PendingQueue()));
    queue.push(row);
  }

  private schedule(row: DeliveryRow, availableAt: number | null): void {
    row.state = 'scheduled';
    row.availableAt = availableAt;
    row.leaseNode = null;
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

  private bury(row: DeliveryRow, reason: DeadReason, now: number): void {
    this.leaveLive(row, 'dead');
    row.end = { at: now, attempts: row.attempts + row.crashes, durationMs: null, reason };
    this.dead.set(row.id, row);
  }

  private leaveLive(row: DeliveryRow, state: DeliveryRow['state']): void {
    this.live.delete(row.id);
    row.state = state;
    // `availableAt` stays: a row cancelled while scheduled is in the heap until it comes up, and must keep its place there.
    row.leaseNode = null;
  }
}

function dueBefore(a: DeliveryRow, b: DeliveryRow): boolean {
  const [dueA, dueB] = [a.availableAt ?? 0, b.availableAt ?? 0];
  return dueA === dueB ? a.id < b.id : dueA < dueB;
}
