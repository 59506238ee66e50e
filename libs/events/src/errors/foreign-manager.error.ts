import { EventsError } from './events.error.js';

/** A manager was passed that belongs to another database than the events do. Nothing was stored: one commit cannot hold both. */
export class ForeignManagerError extends EventsError {
  readonly code = 'EVENTS_FOREIGN_MANAGER';

  constructor(
    /** The events' database, without credentials. */
    readonly expected: string,
    /** The manager's database, without credentials. */
    readonly actual: string,
    options?: ErrorOptions,
  ) {
    super(`the manager belongs to ${actual}, but the events are kept in ${expected}`, options);
  }
}
