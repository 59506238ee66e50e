import { inspect } from 'node:util';
import { EventsError } from './events.error.js';

/** An option that cannot be used, found at boot. The message names the option, its place and its value. */
export class InvalidOptionError extends EventsError {
  readonly code = 'EVENTS_INVALID_OPTION';

  constructor(
    /** Where the option stands, e.g. `EventsModule.forRoot()` or `@OnEvent on PaymentHandler.charge`. */
    readonly place: string,
    /** Dotted path of the option, e.g. `retry.maxAttempts`. */
    readonly option: string,
    readonly value: unknown,
    expected: string,
  ) {
    super(
      `${place}: option "${option}" must be ${expected}, but is ${inspect(value, { depth: 1, breakLength: Infinity })}`,
    );
  }
}
