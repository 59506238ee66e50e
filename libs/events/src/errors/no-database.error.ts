import { EventsError } from './events.error.js';

/** The manager of an in-memory transaction was used as if there were a database behind it. */
export class NoDatabaseError extends EventsError {
  readonly code = 'EVENTS_NO_DATABASE';

  constructor(
    /** The property of the manager that was asked for. */
    readonly property: string,
  ) {
    super(
      `the in-memory store has no database: its transaction's manager can only be passed on to publish, but "${property}" was used`,
    );
  }
}
