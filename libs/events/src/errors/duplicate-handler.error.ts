import { EventsError } from './events.error.js';

/** Two handlers of one application have the same name; found at boot. Deliveries are kept under the name, so it must be unique. */
export class DuplicateHandlerError extends EventsError {
  readonly code = 'EVENTS_DUPLICATE_HANDLER';

  constructor(
    /** The handlers' name. */
    readonly handler: string,
    /** Where they are: `Class.method in Module`. */
    readonly sources: readonly [string, string],
  ) {
    super(
      `two handlers are named ${handler}: ${sources[0]} and ${sources[1]}; ` +
        'give one of them another `name`, provide the class once and export it, or alias it with useExisting',
    );
  }
}
