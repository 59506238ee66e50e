import type { EntityManager } from 'typeorm';
import type { Clock } from '../../clock/clock.js';
import { ForeignManagerError } from '../../errors/foreign-manager.error.js';
import { NoTransactionError } from '../../errors/no-transaction.error.js';
import type { DeadLetterQuery } from '../dead-letter.store.js';
import type { ClaimRequest, StageResult } from '../delivery.store.js';
import type { EventStore, PruneRequest } from '../event-store.js';
import type { AppendRequest, AppendResult, FanOutRequest, FanOutResult } from '../inbox.store.js';
import type {
  ClaimedDelivery,
  DeadLetterRecord,
  DeliveryRecord,
  HandlerBacklog,
  HandlerRegistration,
  Lease,
  NodeRecord,
  NodeRegistration,
  RegistrySnapshot,
  Settlement,
  StoredEvent,
} from '../records.js';
import { append } from './append.js';
import { claim } from './claim.js';
import { fanOut } from './fan-out.js';
import { MemoryDatabase } from './memory-database.js';
import { claimedDelivery, deadLetterRecord, deliveryRecord, handlerBacklogs, matches } from './memory-records.js';
import type { DeliveryRow } from './memory-rows.js';
import { MemoryTransaction } from './memory-transaction.js';
import { prune } from './prune.js';

/**
 * A store without durability, for tests: all the semantics, no database. Stores on one `MemoryDatabase` are nodes of one
 * cluster. A verb waits only for what an open transaction holds; otherwise it is one step.
 */
export class MemoryStore implements EventStore {
  readonly description = 'memory (nothing is durable)';

  constructor(
    private readonly clock: Clock,
    private readonly database = new MemoryDatabase(),
  ) {}

  async open(): Promise<void> {}

  async close(): Promise<void> {
    this.database.listeners.delete(this);
  }

  async ping(): Promise<number> {
    return this.clock.now();
  }

  async append(request: AppendRequest, manager?: EntityManager): Promise<AppendResult> {
    return append(this.database, request, manager && this.transactionOf(manager));
  }

  async fanOut(request: FanOutRequest): Promise<FanOutResult> {
    return fanOut(this.database, request);
  }

  async findEvent(id: string): Promise<StoredEvent | null> {
    const row = this.database.eventsById.get(id);
    return row ? { ...row.stored } : null;
  }

  async findDeliveries(eventId: string): Promise<DeliveryRecord[]> {
    return [...(this.database.eventsById.get(eventId)?.deliveries ?? [])].map(deliveryRecord);
  }

  async payload(seq: number): Promise<string | null> {
    return this.database.eventsBySeq.get(seq)?.stored.payload ?? null;
  }

  async stage(now: number, limit: number): Promise<StageResult> {
    let staged = 0;
    for (let row = this.database.nextScheduled; row && staged < limit; row = this.database.nextScheduled) {
      if ((row.availableAt as number) > now) break;
      this.database.stage(row);
      staged++;
    }
    return { staged, nextDueAt: this.database.nextScheduled?.availableAt ?? null };
  }

  async claim(request: ClaimRequest): Promise<ClaimedDelivery[] | null> {
    return this.database.nodes.has(request.node) ? claim(this.database, request).map(claimedDelivery) : null;
  }

  async settle(node: number, settlements: readonly Settlement[], now: number): Promise<boolean[]> {
    // Encoded before anything is written: a call that fails has changed nothing.
    const failures = settlements.map(encodeFailure);
    const write = (settlement: Settlement, index: number) => {
      const row = this.database.leased(node, settlement);
      if (row) this.database.writeOutcome(row, settlement, failures[index] ?? null, now);
      return row !== undefined;
    };
    return this.database.locks.whenFree(
      () => deliveryNames(settlements),
      () => settlements.map(write),
    );
  }

  async settleIn(manager: EntityManager, node: number, settlement: Settlement, now: number): Promise<boolean> {
    const transaction = this.transactionOf(manager);
    const failure = encodeFailure(settlement);
    const write = () => {
      const row = this.database.leased(node, settlement);
      if (!row || transaction.settled.has(row.id)) return false;
      transaction.settled.add(row.id);
      transaction.changes.push(() => this.database.writeOutcome(row, settlement, failure, now));
      return true;
    };
    return this.database.locks.whenFree(() => deliveryNames([settlement]), write, transaction);
  }

  async lostLeases(node: number, leases: readonly Lease[]): Promise<number[]> {
    return leases.filter((lease) => !this.database.leased(node, lease)).map((lease) => lease.id);
  }

  async cancel(deliveryId: number, now: number): Promise<boolean> {
    const cancel = () => {
      const row = this.database.live.get(deliveryId);
      if (row) this.database.cancel(row, now);
      return row !== undefined;
    };
    return this.database.locks.whenFree(() => deliveryNames([{ id: deliveryId }]), cancel);
  }

  async registerNode({ label, host, pid }: NodeRegistration, now: number): Promise<number> {
    const id = this.database.nextNodeId();
    this.database.nodes.set(id, { id, label, host, pid, beat: 0, startedAt: now });
    return id;
  }

  async beat(node: number): Promise<boolean> {
    const record = this.database.nodes.get(node);
    if (record) this.database.nodes.set(node, { ...record, beat: record.beat + 1 });
    return record !== undefined;
  }

  async nodes(): Promise<NodeRecord[]> {
    return [...this.database.nodes.values()];
  }

  async removeNode(node: number, now: number, beat?: number): Promise<boolean> {
    const { database } = this;
    const rows = () => [...database.live.values()].filter((row) => row.leaseNode === node);
    const remove = () => {
      const record = database.nodes.get(node);
      if (!record || (beat !== undefined && record.beat !== beat)) return false;
      database.nodes.delete(node);
      database.registry.leave(node);
      for (const row of rows()) database.chargeCrash(row, record.label, now);
      return true;
    };
    return database.locks.whenFree(() => deliveryNames(rows()), remove);
  }

  async rescueOrphans(now: number): Promise<number> {
    const { database } = this;
    const rows = () =>
      [...database.live.values()].filter((row) => row.leaseNode !== null && !database.nodes.has(row.leaseNode));
    const rescue = () => {
      const orphans = rows();
      for (const row of orphans) database.chargeCrash(row, `node ${row.leaseNode}`, now);
      return orphans.length;
    };
    return database.locks.whenFree(() => deliveryNames(rows()), rescue);
  }

  async registerHandlers(node: number, handlers: readonly HandlerRegistration[]): Promise<void> {
    this.database.registry.announce(node, handlers);
  }

  async loadRegistry(): Promise<RegistrySnapshot> {
    return this.database.registry.snapshot();
  }

  async listDeadLetters(query: DeadLetterQuery, limit: number, before = Infinity): Promise<DeadLetterRecord[]> {
    const found = this.dead(query).filter((row) => row.id < before);
    return found.toReversed().slice(0, limit).map(deadLetterRecord);
  }

  async countDeadLetters(query: DeadLetterQuery): Promise<number> {
    return this.dead(query).length;
  }

  async redrive(query: DeadLetterQuery, limit: number): Promise<number[]> {
    const rows = this.dead(query).slice(0, limit);
    for (const row of rows) this.database.revive(row);
    return rows.map((row) => row.id);
  }

  async discard(query: DeadLetterQuery, limit: number): Promise<number[]> {
    const rows = this.dead(query).slice(0, limit);
    for (const row of rows) this.database.forget(row);
    return rows.map((row) => row.id);
  }

  async prune(request: PruneRequest): Promise<number> {
    return prune(this.database, request);
  }

  async backlog(): Promise<HandlerBacklog[]> {
    return handlerBacklogs([...this.database.live.values(), ...this.database.dead.values()]);
  }

  async notify(): Promise<void> {
    for (const [store, listeners] of this.database.listeners) {
      if (store !== this) for (const listener of listeners) setImmediate(listener);
    }
  }

  listen(listener: () => void): void {
    const listeners = this.database.listeners.get(this) ?? new Set();
    this.database.listeners.set(this, listeners.add(listener));
  }

  async transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    const transaction = new MemoryTransaction();
    this.database.transactions.set(transaction.manager, transaction);
    try {
      const answer = await work(transaction.manager);
      for (const change of transaction.changes) change();
      transaction.end();
      this.database.locks.release(transaction);
      for (const callback of transaction.callbacks) callback();
      return answer;
    } catch (error) {
      transaction.end();
      this.database.locks.release(transaction);
      throw error;
    }
  }

  checkManager(manager: EntityManager): void {
    this.transactionOf(manager);
  }

  afterCommit(manager: EntityManager, callback: () => void): void {
    this.transactionOf(manager).callbacks.push(callback);
  }

  private transactionOf(manager: EntityManager): MemoryTransaction {
    const transaction = this.database.transactions.get(manager);
    if (!transaction) throw new ForeignManagerError(this.description, 'another database');
    if (!transaction.isOpen) throw new NoTransactionError();
    return transaction;
  }

  /** Oldest first. */
  private dead(query: DeadLetterQuery): DeliveryRow[] {
    return [...this.database.dead.values()].filter((row) => matches(row, query)).toSorted((a, b) => a.id - b.id);
  }
}

function encodeFailure(settlement: Settlement): string | null {
  return 'failure' in settlement && settlement.failure ? JSON.stringify(settlement.failure) : null;
}

function deliveryNames(rows: readonly { readonly id: number }[]): string[] {
  return rows.map((row) => `delivery:${row.id}`);
}
