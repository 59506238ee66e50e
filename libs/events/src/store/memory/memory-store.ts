import type { EntityManager } from 'typeorm';
import type { Clock } from '../../clock/clock.js';
import { ForeignManagerError } from '../../errors/foreign-manager.error.js';
import { NoTransactionError } from '../../errors/no-transaction.error.js';
import type { CircuitState } from '../../policies/circuit-breaker.policy.js';
import type { KeyAnswer, KeyClaim, TokenAnswer, TokenTake } from '../chain.store.js';
import type { DeadLetterQuery, RedrivePace } from '../dead-letter.store.js';
import type { ClaimRequest, StageResult } from '../delivery.store.js';
import type { EventStore, PruneRequest, Topic } from '../event-store.js';
import type { CircuitChange, HandlerRecord, HandlerState, TrialRequest } from '../handler.store.js';
import type { AppendRequest, AppendResult, FanOutRequest, FanOutResult } from '../inbox.store.js';
import type {
  ClaimedDelivery,
  DeadLetterRecord,
  DeliveryRecord,
  HandlerBacklog,
  HandlerRegistration,
  HeldLease,
  Lease,
  NodeRecord,
  NodeRegistration,
  RegistrySnapshot,
  Settlement,
  StoredEvent,
  Unprocessed,
} from '../records.js';
import { append } from './append.js';
import { claim, claimTrials } from './claim.js';
import { cancel, removeNode, rescueOrphans } from './end-leases.js';
import { expireRetired } from './expire-retired.js';
import { fanOut } from './fan-out.js';
import { freeLanes } from './free-lanes.js';
import { changeCircuit, countTrial } from './memory-circuits.js';
import { MemoryDatabase } from './memory-database.js';
import { handlerRecord } from './memory-handlers.js';
import { deadLetterRecord, deliveryRecord, handlerBacklogs, heldLease, matches } from './memory-records.js';
import type { DeliveryRow } from './memory-rows.js';
import { MemoryTransaction } from './memory-transaction.js';
import { prune } from './prune.js';
import { settle, settleIn } from './settle.js';

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
    const result = await append(this.database, request, manager && this.transactionOf(manager));
    return request.claim ? { ...result, claimed: claim(this.database, request.claim) } : result;
  }

  async fanOut(request: FanOutRequest): Promise<FanOutResult> {
    return fanOut(this.database, request);
  }

  async unprocessed(): Promise<Unprocessed> {
    const [oldest] = this.database.raw;
    return { count: this.database.raw.size, oldestReceivedAt: oldest?.stored.receivedAt ?? null };
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
    return claim(this.database, request);
  }

  async settle(node: number, settlements: readonly Settlement[], now: number): Promise<boolean[]> {
    return settle(this.database, node, settlements, now);
  }

  async settleIn(manager: EntityManager, node: number, settlement: Settlement, now: number): Promise<boolean> {
    return settleIn(this.database, this.transactionOf(manager), node, settlement, now);
  }

  async lostLeases(node: number, leases: readonly Lease[]): Promise<number[]> {
    return leases.filter((lease) => !this.database.leased(node, lease)).map((lease) => lease.id);
  }

  async heldLeases(node: number): Promise<HeldLease[]> {
    return [...this.database.live.values()].filter(({ leaseNode }) => leaseNode === node).map(heldLease);
  }

  async cancel(deliveryId: number, now: number): Promise<boolean> {
    return cancel(this.database, deliveryId, now);
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
    return removeNode(this.database, node, now, beat);
  }

  async rescueOrphans(now: number): Promise<number> {
    return rescueOrphans(this.database, now);
  }

  async registerHandlers(node: number, handlers: readonly HandlerRegistration[], now: number): Promise<void> {
    for (const { from, to } of this.database.registry.announce(node, handlers, now)) this.database.adopt(from, to);
    for (const { name } of handlers) freeLanes(this.database, name);
  }

  async loadRegistry(): Promise<RegistrySnapshot> {
    return this.database.registry.snapshot();
  }

  async handlerStates(): Promise<HandlerState[]> {
    const active = this.database.registry.all().filter((row) => row.retiredAt === null);
    return active.map(({ name, paused, ordered, circuit }) => ({ name, paused, ordered, circuit: { ...circuit } }));
  }

  async listHandlers(): Promise<HandlerRecord[]> {
    return this.database.registry.all().map((row) => handlerRecord(row, this.database.nodes));
  }

  async setPaused(handler: string, paused: boolean): Promise<boolean> {
    const row = this.database.registry.get(handler);
    if (row) row.paused = paused;
    return row !== undefined;
  }

  async changeCircuit(handler: string, epoch: number, to: CircuitState, now: number): Promise<CircuitChange | null> {
    const row = this.database.registry.get(handler);
    return row ? changeCircuit(row, epoch, to, now) : null;
  }

  async countTrial(handler: string, epoch: number, threshold: number): Promise<CircuitChange | null> {
    const row = this.database.registry.get(handler);
    return row ? countTrial(row, epoch, threshold) : null;
  }

  async claimTrials(request: TrialRequest): Promise<ClaimedDelivery[] | null> {
    return claimTrials(this.database, request);
  }

  async touchHandlers(now: number): Promise<void> {
    this.database.registry.touch(now);
  }

  async retire(handler: string, now: number): Promise<boolean> {
    const row = this.database.registry.get(handler);
    if (!row || row.retiredAt !== null) return false;
    this.database.registry.retire([row], now);
    return true;
  }

  async retireAbsent(lastSeenBefore: number, now: number): Promise<string[]> {
    const { registry } = this.database;
    const absent = registry.absentSince(lastSeenBefore);
    registry.retire(absent, now);
    return absent.map((row) => row.name);
  }

  async expireRetired(now: number, limit: number): Promise<number> {
    return expireRetired(this.database, now, limit);
  }

  async takeTokens(takes: readonly TokenTake[], now: number): Promise<TokenAnswer[]> {
    const { buckets } = this.database;
    return takes.map(({ handler, key, ...limit }) => buckets.take(JSON.stringify([handler, key]), limit, now));
  }

  async claimKeys(claims: readonly KeyClaim[], now: number): Promise<KeyAnswer[]> {
    const { keys } = this.database;
    keys.sweepIfGrown(now);
    return claims.map((one) => keys.claim(one, now));
  }

  async listDeadLetters(query: DeadLetterQuery, limit: number, before = Infinity): Promise<DeadLetterRecord[]> {
    const found = this.dead(query).filter((row) => row.id < before);
    return found.toReversed().slice(0, limit).map(deadLetterRecord);
  }

  async countDeadLetters(query: DeadLetterQuery): Promise<number> {
    return this.dead(query).length;
  }

  async redrive(query: DeadLetterQuery, limit: number, now: number, pace?: RedrivePace): Promise<number[]> {
    const rows = this.dead(query).slice(0, limit);
    for (const [index, row] of rows.entries()) {
      const due = pace ? Math.ceil(pace.startAt + index * pace.everyMs) : now;
      this.database.revive(row, now, due > now ? due : null);
    }
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

  async notify(topic: Topic): Promise<void> {
    for (const [store, listeners] of this.database.listeners) {
      if (store !== this) for (const listener of listeners) setImmediate(listener, topic);
    }
  }

  listen(listener: (topic: Topic) => void): void {
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
