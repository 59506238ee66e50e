import type { EntityManager } from 'typeorm';
import type { DeadLetterQuery } from '../store/dead-letter.store.js';
import type { ClaimRequest, StageResult } from '../store/delivery.store.js';
import type { EventStore, PruneRequest } from '../store/event-store.js';
import type { AppendRequest, AppendResult, FanOutRequest, FanOutResult } from '../store/inbox.store.js';
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
} from '../store/records.js';
import { describeDatabase } from './describe-database.js';
import { type OpenDatabase, openDatabase } from './open-database.js';
import type { TypeOrmStoreOptions } from './typeorm-store.options.js';
import type { SqliteVerb } from './verb.js';
import type { Verbs } from './verbs.js';

/** The event store on a SQL database. Each method is one verb, see `sql/`; the specification is `EventStore`'s. */
export class TypeOrmStore implements EventStore {
  readonly description: string;
  private database: OpenDatabase | undefined;

  constructor(private readonly options: TypeOrmStoreOptions) {
    this.description = options.description ?? describeDatabase(options.connection, options.schema);
  }

  /** @throws MissingDriverError when the driver is not installed; SchemaBehindError when `migrate` is false and must not be. */
  async open(): Promise<void> {
    this.database ??= await openDatabase(this.options);
  }

  async close(): Promise<void> {
    const { database } = this;
    this.database = undefined;
    await database?.close();
  }

  append(request: AppendRequest, manager?: EntityManager): Promise<AppendResult> {
    return this.run((verbs) => verbs.append(request), manager);
  }

  fanOut(request: FanOutRequest): Promise<FanOutResult> {
    return this.run((verbs) => verbs.fanOut(request));
  }

  findEvent(id: string): Promise<StoredEvent | null> {
    return this.run((verbs) => verbs.findEvent(id));
  }

  findDeliveries(eventId: string): Promise<DeliveryRecord[]> {
    return this.run((verbs) => verbs.findDeliveries(eventId));
  }

  payload(seq: number): Promise<string | null> {
    return this.run((verbs) => verbs.payload(seq));
  }

  stage(now: number, limit: number): Promise<StageResult> {
    return this.run((verbs) => verbs.stage(now, limit));
  }

  claim(request: ClaimRequest): Promise<ClaimedDelivery[] | null> {
    return this.run((verbs) => verbs.claim(request));
  }

  settle(node: number, settlements: readonly Settlement[], now: number): Promise<boolean[]> {
    return this.run((verbs) => verbs.settle(node, settlements, now));
  }

  async settleIn(manager: EntityManager, node: number, settlement: Settlement, now: number): Promise<boolean> {
    try {
      const [written] = await this.run((verbs) => verbs.settle(node, [settlement], now), manager);
      return written;
    } catch (error) {
      // The row has changed under a transaction with a snapshot: somebody else has the lease by now.
      if ((error as { code?: string }).code === '40001') return false;
      throw error;
    }
  }

  lostLeases(node: number, leases: readonly Lease[]): Promise<number[]> {
    return this.run((verbs) => verbs.lostLeases(node, leases));
  }

  cancel(deliveryId: number, now: number): Promise<boolean> {
    return this.run((verbs) => verbs.cancel(deliveryId, now));
  }

  registerNode(node: NodeRegistration, now: number): Promise<number> {
    return this.run((verbs) => verbs.registerNode(node, now));
  }

  beat(node: number): Promise<boolean> {
    return this.run((verbs) => verbs.beat(node));
  }

  nodes(): Promise<NodeRecord[]> {
    return this.run((verbs) => verbs.listNodes());
  }

  removeNode(node: number, now: number, beat?: number): Promise<boolean> {
    return this.run((verbs) => verbs.removeNode(node, now, beat));
  }

  rescueOrphans(now: number): Promise<number> {
    return this.run((verbs) => verbs.rescueOrphans(now));
  }

  registerHandlers(node: number, handlers: readonly HandlerRegistration[], now: number): Promise<void> {
    return this.run((verbs) => verbs.registerHandlers(node, handlers, now));
  }

  loadRegistry(): Promise<RegistrySnapshot> {
    return this.run((verbs) => verbs.loadRegistry());
  }

  listDeadLetters(query: DeadLetterQuery, limit: number, before?: number): Promise<DeadLetterRecord[]> {
    return this.run((verbs) => verbs.listDeadLetters(query, limit, before));
  }

  countDeadLetters(query: DeadLetterQuery): Promise<number> {
    return this.run((verbs) => verbs.countDeadLetters(query));
  }

  redrive(query: DeadLetterQuery, limit: number, now: number): Promise<number[]> {
    return this.run((verbs) => verbs.redrive(query, limit, now));
  }

  discard(query: DeadLetterQuery, limit: number): Promise<number[]> {
    return this.run((verbs) => verbs.discard(query, limit));
  }

  ping(): Promise<number> {
    return this.run((verbs) => verbs.ping());
  }

  prune(request: PruneRequest): Promise<number> {
    return this.run((verbs) => verbs.prune(request));
  }

  backlog(): Promise<HandlerBacklog[]> {
    return this.run((verbs) => verbs.backlog());
  }

  async notify(): Promise<void> {
    await this.opened().channel?.notify();
  }

  listen(listener: () => void): void {
    this.opened().channel?.listen(listener);
  }

  transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.options.transactions.transaction(work);
  }

  checkManager(manager: EntityManager): void {
    this.options.transactions.checkManager(manager);
  }

  afterCommit(manager: EntityManager, callback: () => void): void {
    this.options.transactions.afterCommit(manager, callback);
  }

  private async run<R>(verb: (verbs: Verbs) => SqliteVerb<R>, manager?: EntityManager): Promise<R> {
    const { engine, verbs } = this.opened();
    return manager ? engine.runIn(manager, () => verb(verbs)) : engine.run(() => verb(verbs));
  }

  private opened(): OpenDatabase {
    if (!this.database) throw new Error('the event store is not open');
    return this.database;
  }
}
