import { EventsError } from './events.error.js';

/** The database's driver is not installed; it is an optional peer. */
export class MissingDriverError extends EventsError {
  readonly code = 'EVENTS_MISSING_DRIVER';

  constructor(
    /** The npm package to install. */
    readonly driver: string,
    options?: ErrorOptions,
  ) {
    super(`the driver "${driver}" is not installed: npm install ${driver}`, options);
  }
}
