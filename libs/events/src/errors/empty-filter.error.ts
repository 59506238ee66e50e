import { EventsError } from './events.error.js';

/** A filter without conditions was given to something that changes or deletes; `{ all: true }` says that it is meant. */
export class EmptyFilterError extends EventsError {
  readonly code = 'EVENTS_EMPTY_FILTER';

  constructor() {
    super('the filter has no conditions; pass { all: true } to mean every dead letter');
  }
}
