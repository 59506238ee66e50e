import { EventsError } from './events.error.js';

/** The module was given a database that it cannot keep events in. */
export class UnsupportedDatabaseError extends EventsError {
  readonly code = 'EVENTS_UNSUPPORTED_DATABASE';

  constructor(
    /** What was given, without credentials. */
    readonly database: string,
    /** Why it cannot be used, and what to use instead. */
    readonly reason: string,
  ) {
    super(`events cannot be kept in ${database}: ${reason}`);
  }
}
