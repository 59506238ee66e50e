import { EventsError } from './events.error.js';

/** A manager was passed that has no open transaction. Nothing was stored: what it carries could not be undone together with the caller's writes. */
export class NoTransactionError extends EventsError {
  readonly code = 'EVENTS_NO_TRANSACTION';

  constructor(
    message = 'the manager has no open transaction: pass the manager that `dataSource.transaction(...)` or `publisher.transaction(...)` hands to its callback, not `dataSource.manager`',
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
