import { EventsError } from './events.error.js';

/**
 * The database could not be asked, or did not answer in time. A publish that fails with it has stored nothing, or, if the
 * connection broke while its commit was under way, all: give it an `id`, and it can be repeated without harm. The
 * driver's error, where there is one, is in `cause`.
 */
export class StoreUnavailableError extends EventsError {
  readonly code = 'EVENTS_STORE_UNAVAILABLE';

  constructor(why: string, options?: ErrorOptions) {
    super(`the database is not available: ${why}`, options);
  }
}
