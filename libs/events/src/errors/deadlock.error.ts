import { EventsError } from './events.error.js';

/**
 * Two open transactions of the in-memory store wait for each other's event ids or ordering keys; this one has to give up and
 * roll back. On a database the same comes as the database's own error.
 */
export class DeadlockError extends EventsError {
  readonly code = 'EVENTS_DEADLOCK';

  constructor(
    /** What the transaction waited for, e.g. `id:order-1`. */
    readonly resource: string,
  ) {
    super(`deadlock: ${resource} is held by a transaction that waits for this one; append ids and keys in one order`);
  }
}
