import type { ChainStore } from './chain.store.js';
import type { DeadLetterStore } from './dead-letter.store.js';
import type { DeliveryStore } from './delivery.store.js';
import type { HandlerStore } from './handler.store.js';
import type { InboxStore } from './inbox.store.js';
import type { NodeStore } from './node.store.js';
import type { HandlerBacklog } from './records.js';
import type { Transactions } from './transactions.js';

export interface PruneRequest {
  /** History that finished before this moment goes. */
  readonly completedBefore: number;
  /** Dead letters that died before this moment go. */
  readonly deadBefore: number;
  /** Idempotency keys and token buckets that mean nothing any more at this moment go. */
  readonly now: number;
  /** At most this many rows a table and call. */
  readonly limit: number;
}

/** What other nodes are told of: deliveries or raw events, or a handler whose circuit or pause has changed. */
export type Topic = 'work' | 'handlers';

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
   * and that nothing refers to, received before `completedBefore`; expired idempotency keys; buckets that are full again.
   * Never unfinished work, nor a dead letter that blocks a lane with live deliveries.
   * Answers how many rows went; 0 means done.
   */
  prune(request: PruneRequest): Promise<number>;

  /** Backlog per handler, of handlers that have any row live or dead. */
  backlog(): Promise<HandlerBacklog[]>;

  /** Tells other nodes, if the database can. Coalesced by the caller. */
  notify(topic: Topic): Promise<void>;

  /**
   * Calls `listener` when another node has told something, and with each topic when notifications may have been lost.
   * Databases that cannot tell never call it.
   */
  listen(listener: (topic: Topic) => void): void;
}

/**
 * The whole contract of a store; the doc comments of its parts are the specification, and the store contract suite
 * (`nestjs-durable-events/testing`) is the same in code. Every verb is atomic, takes and returns batches, and may be
 * called at any time and concurrently from any number of nodes. A verb that fails has changed nothing.
 */
export interface EventStore
  extends
    StoreLifecycle,
    InboxStore,
    DeliveryStore,
    NodeStore,
    HandlerStore,
    ChainStore,
    DeadLetterStore,
    Transactions {}

/** Injection token of the store. */
export const EVENT_STORE = Symbol('nestjs-durable-events:store');
