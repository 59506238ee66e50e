import { EventsError } from './events.error.js';

/**
 * Another connection has held the SQLite file for so long that this was given up; nothing was written. The commonest
 * reason in an application is a publish inside a transaction of its own that was not told of it: it waits for the very
 * transaction that waits for it. The driver's error is in `cause`.
 */
export class StoreBusyError extends EventsError {
  readonly code = 'EVENTS_STORE_BUSY';

  constructor(
    readonly waitedMs: number,
    options: ErrorOptions,
  ) {
    super(
      `the SQLite file was locked by another connection for ${waitedMs} ms; ` +
        'if this is a publish inside a transaction of yours, give it that transaction: publish(event, payload, { manager })',
      options,
    );
  }
}
