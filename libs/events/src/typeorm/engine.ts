import type { EntityManager } from 'typeorm';
import type { SqliteVerb } from './verb.js';

/** How long a verb may take, its wait for a connection included. */
export const VERB_LIMIT_MS = 10_000;
/** The same for a verb that goes through many rows. */
export const LONG_VERB_LIMIT_MS = 60_000;

/** Runs verbs on one database. A verb is given as a function, since after a conflict it is run again from its start. */
export interface Engine {
  /**
   * Runs a verb on a connection of the engine's own: it has committed when the promise resolves.
   * @param limitMs default `VERB_LIMIT_MS`. A database in this process needs none.
   * @throws StoreUnavailableError, StoreBusyError: it failed, or nobody knows whether it did.
   */
  run<R>(verb: () => SqliteVerb<R>, limitMs?: number): Promise<R>;

  /** Runs a verb inside the open transaction of `manager`, on its connection. Errors, conflicts included, reach the caller. */
  runIn<R>(manager: EntityManager, verb: () => SqliteVerb<R>): Promise<R>;

  /**
   * Whether the database has made this statement, or the transaction that it was in, give way to another: a
   * serialization failure, a deadlock, a lock that was not to be had.
   */
  isConflict(error: unknown): boolean;
}
