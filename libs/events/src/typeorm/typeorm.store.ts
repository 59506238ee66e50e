import type { EntityManager } from 'typeorm';
import { OutcomeRefusedError } from '../errors/outcome-refused.error.js';
import type { CircuitState } from '../policies/circuit-breaker.policy.js';
import type { KeyAnswer, KeyClaim, TokenAnswer, TokenTake } from '../store/chain.store.js';
import type { DeadLetterQuery, RedrivePace } from '../store/dead-letter.store.js';
import type { ClaimRequest, StageResult } from '../store/delivery.store.js';
import type { EventStore, PruneRequest, Topic } from '../store/event-store.js';
import type { CircuitChange, HandlerRecord, HandlerState, TrialRequest } from '../store/handler.store.js';
import type { AppendRequest, AppendResult, FanOutRequest, FanOutResult } from '../store/inbox.store.js';
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
} from '../store/records.js';
import type { InterruptibleStore, StoreStep } from '../store/interruptible-store.js';
import { describeDatabase } from './describe-database.js';
import { LONG_VERB_LIMIT_MS } from './engine.js';
import { interruptedVerbs } from './interrupted-verbs.js';
import { type OpenDatabase, openDatabase } from './open-database.js';
import { Pruning } from './pruning.js';
import { isRefusedData } from './refused-data.js';
import type { TypeOrmStoreOptions } from './typeorm-store.options.js';
import type { SqliteVerb } from './verb.js';
import type { Verbs } from './verbs.js';

/** The event store on a SQL database. Each method is one verb, see `sql/`; the specification is `EventStore`'s. */
export class TypeOrmStore implements EventStore, InterruptibleStore {
  readonly description: string;
  private database: OpenDatabase | undefined;
  private readonly pruning = new Pruning((verb) => this.runLong(verb));

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

  interrupt(between: (step: StoreStep) => number): void {
    const database = this.opened();
    this.database = { ...database, verbs: interruptedVerbs(database.verbs, between, this.options.connection.type) };
  }

  append(request: AppendRequest, manager?: EntityManager): Promise<AppendResult> {
    const notice = request.tell ? this.opened().channel?.notice('work') : undefined;
    return this.run((verbs) => verbs.append(request, notice), manager);
  }

  fanOut(request: FanOutRequest): Promise<FanOutResult> {
    return this.run((verbs) => verbs.fanOut(request));
  }

  unprocessed(): Promise<Unprocessed> {
    return this.runLong((verbs) => verbs.unprocessed());
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

  async settle(node: number, settlements: readonly Settlement[], now: number): Promise<boolean[]> {
    try {
      return await this.run((verbs) => verbs.settle(node, settlements, now));
    } catch (error) {
      throw isRefusedData(error) ? new OutcomeRefusedError({ cause: error }) : error;
    }
  }

  async settleIn(manager: EntityManager, node: number, settlement: Settlement, now: number): Promise<boolean> {
    try {
      const [written] = await this.run((verbs) => verbs.settle(node, [settlement], now), manager);
      return written;
    } catch (error) {
      // Somebody else has changed the row, or is changing it; or it was another row that the two have met at.
      if (this.opened().engine.isConflict(error) && (await this.lostLeases(node, [settlement])).length > 0)
        return false;
      throw error;
    }
  }

  lostLeases(node: number, leases: readonly Lease[]): Promise<number[]> {
    return this.run((verbs) => verbs.lostLeases(node, leases));
  }

  heldLeases(node: number): Promise<HeldLease[]> {
    return this.runLong((verbs) => verbs.heldLeases(node));
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
    return this.runLong((verbs) => verbs.removeNode(node, now, beat));
  }

  rescueOrphans(now: number): Promise<number> {
    return this.runLong((verbs) => verbs.rescueOrphans(now));
  }

  registerHandlers(node: number, handlers: readonly HandlerRegistration[], now: number): Promise<void> {
    return this.runLong((verbs) => verbs.registerHandlers(node, handlers, now));
  }

  loadRegistry(): Promise<RegistrySnapshot> {
    return this.run((verbs) => verbs.loadRegistry());
  }

  handlerStates(): Promise<HandlerState[]> {
    return this.run((verbs) => verbs.handlerStates());
  }

  listHandlers(): Promise<HandlerRecord[]> {
    return this.runLong((verbs) => verbs.listHandlers());
  }

  setPaused(handler: string, paused: boolean): Promise<boolean> {
    return this.run((verbs) => verbs.setPaused(handler, paused));
  }

  changeCircuit(handler: string, epoch: number, to: CircuitState, now: number): Promise<CircuitChange | null> {
    return this.run((verbs) => verbs.changeCircuit(handler, epoch, to, now));
  }

  countTrial(handler: string, epoch: number, threshold: number): Promise<CircuitChange | null> {
    return this.run((verbs) => verbs.countTrial(handler, epoch, threshold));
  }

  claimTrials(request: TrialRequest): Promise<ClaimedDelivery[] | null> {
    return this.run((verbs) => verbs.claimTrials(request));
  }

  touchHandlers(now: number): Promise<void> {
    return this.run((verbs) => verbs.touchHandlers(now));
  }

  retire(handler: string, now: number): Promise<boolean> {
    return this.runLong((verbs) => verbs.retire(handler, now));
  }

  retireAbsent(lastSeenBefore: number, now: number): Promise<string[]> {
    return this.runLong((verbs) => verbs.retireAbsent(lastSeenBefore, now));
  }

  expireRetired(now: number, limit: number): Promise<number> {
    return this.runLong((verbs) => verbs.expireRetired(now, limit));
  }

  takeTokens(takes: readonly TokenTake[], now: number): Promise<TokenAnswer[]> {
    return this.run((verbs) => verbs.takeTokens(takes, now));
  }

  claimKeys(claims: readonly KeyClaim[], now: number): Promise<KeyAnswer[]> {
    return this.run((verbs) => verbs.claimKeys(claims, now));
  }

  listDeadLetters(query: DeadLetterQuery, limit: number, before?: number): Promise<DeadLetterRecord[]> {
    return this.runLong((verbs) => verbs.listDeadLetters(query, limit, before));
  }

  countDeadLetters(query: DeadLetterQuery): Promise<number> {
    return this.runLong((verbs) => verbs.countDeadLetters(query));
  }

  redrive(query: DeadLetterQuery, limit: number, now: number, pace?: RedrivePace): Promise<number[]> {
    return this.runLong((verbs) => verbs.redrive(query, limit, now, pace));
  }

  discard(query: DeadLetterQuery, limit: number): Promise<number[]> {
    return this.runLong((verbs) => verbs.discard(query, limit));
  }

  ping(): Promise<number> {
    return this.run((verbs) => verbs.ping());
  }

  prune(request: PruneRequest): Promise<number> {
    return this.pruning.batch(request);
  }

  backlog(): Promise<HandlerBacklog[]> {
    return this.runLong((verbs) => verbs.backlog());
  }

  async notify(topic: Topic): Promise<void> {
    await this.opened().channel?.notify(topic);
  }

  listen(listener: (topic: Topic) => void): void {
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

  /** For verbs that go through many rows. */
  private async runLong<R>(verb: (verbs: Verbs) => SqliteVerb<R>): Promise<R> {
    const { engine, verbs } = this.opened();
    return engine.run(() => verb(verbs), LONG_VERB_LIMIT_MS);
  }

  private opened(): OpenDatabase {
    if (!this.database) throw new Error('the event store is not open');
    return this.database;
  }
}
