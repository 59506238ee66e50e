import { EventsError } from './events.error.js';

/** An event that cannot be published as it is. Nothing was stored. The message names the field and what is wrong. */
export class InvalidEventError extends EventsError {
  readonly code = 'EVENTS_INVALID_EVENT';
  /** Of `publishAll`: the place of the event at fault in the list. */
  index?: number;

  constructor(
    /** The field at fault: `type`, `id`, `payload.amount`, `delay` ... */
    readonly field: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`event ${field} ${problem}`, options);
  }
}
