import type { DeadLetterStore } from './dead-letter.store.js';
import type { DeliveryStore } from './delivery.store.js';
import type { InboxStore } from './inbox.store.js';
import type { NodeStore } from './node.store.js';
import type { HandlerBacklog } from './records.js';
import type { Transactions } from './transactions.js';

export interface PruneRequest {
  /** History that finished before this moment goes. */
  readonly completedBefore: number;
  /** Dead letters that died before this moment go. */
  readonly deadBefore: number;
  /** At most this many rows a table and call. */
  readonly limit: number;
}

/** The rest of the contract: the store as a whole. */
export interface StoreLifecycle {
  /** For logs: which database this is, without credentials. */
  readonly description: string;

  /** Connects, and migrates (or checks the schema). Must be awaited before anything else. */
  open(): Promise<void>;

  /** Ends all connections of the store's own. */
  close(): Promise<void>;

  /** Resolves if the database answers. Also tells the database's clock, epoch milliseconds. */
  ping(): Promise<number>;

  /**
   * Deletes what retention no longer keeps, in small batches: history, dead letters, then inbox rows that are fanned out
   * and that nothing refers to, received before `completedBefore`. Never unfinished work. Answers how many rows went;
   * 0 means done.
   */
  prune(request: PruneRequest): Promise<number>;

  /** Backlog per handler, of handlers that have any row live or dead. */
  backlog(): Promise<HandlerBacklog[]>;

  /** Tells other nodes, if the database can, that there is work. Coalesced by the caller. */
  notify(): Promise<void>;

  /** Calls `listener` when another node has told that there is work. Databases that cannot tell never call it. */
  listen(listener: () => void): void;
}

/**
 * The whole contract of a store; the doc comments of its parts are the specification, and the store contract suite
 * (`nestjs-durable-events/testing`) is the same in code. Every verb is atomic, takes and returns batches, and may be
 * called at any time and concurrently from any number of nodes. A verb that fails has changed nothing.
 */
export interface EventStore
  extends StoreLifecycle, InboxStore, DeliveryStore, NodeStore, DeadLetterStore, Transactions {}

/** Injection token of the store. */
export const EVENT_STORE = Symbol('nestjs-durable-events:store');
