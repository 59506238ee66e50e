import { EventsError } from './events.error.js';

/** The database does not take the data of an outcome, now or ever; nothing was written. Its error is in `cause`. */
export class OutcomeRefusedError extends EventsError {
  readonly code = 'EVENTS_OUTCOME_REFUSED';

  constructor(options: ErrorOptions) {
    super('the database refuses the data of an outcome', options);
  }
}
