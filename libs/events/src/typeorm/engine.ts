import type { EntityManager } from 'typeorm';
import type { SqliteVerb } from './verb.js';

/** Runs verbs on one database. A verb is given as a function, since after a conflict it is run again from its start. */
export interface Engine {
  /** Runs a verb on a connection of the engine's own: it has committed when the promise resolves. */
  run<R>(verb: () => SqliteVerb<R>): Promise<R>;

  /** Runs a verb inside the open transaction of `manager`, on its connection. Errors, conflicts included, reach the caller. */
  runIn<R>(manager: EntityManager, verb: () => SqliteVerb<R>): Promise<R>;
}
