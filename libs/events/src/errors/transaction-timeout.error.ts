import { EventsError } from './events.error.js';

/**
 * A transaction of this library held, or waited for, a SQLite file longer than the option `transactionTimeout`. Nothing
 * of it was committed.
 */
export class TransactionTimeoutError extends EventsError {
  readonly code = 'EVENTS_TRANSACTION_TIMEOUT';

  constructor(
    readonly timeoutMs: number,
    /** `lock`: another connection held the file all that time. `work`: the transaction itself went on for too long. */
    readonly phase: 'lock' | 'work',
    options?: ErrorOptions,
  ) {
    super(
      phase === 'lock'
        ? `the transaction did not start: for ${timeoutMs} ms another connection has held the lock of the SQLite file`
        : `the transaction was rolled back: it held the SQLite file for more than ${timeoutMs} ms (option transactionTimeout)`,
      options,
    );
  }
}
