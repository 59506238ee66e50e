import { EventsError } from './events.error.js';

/** A method cannot be a handler as it is decorated; found at boot. */
export class InvalidHandlerError extends EventsError {
  readonly code = 'EVENTS_INVALID_HANDLER';

  constructor(
    /** `Class.method` */
    readonly source: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`@OnEvent on ${source}: ${problem}`, options);
  }
}
