import { EventsError } from './events.error.js';

/** A key function of a handler or of an event's definition has answered what cannot be a key. Counts as a failed attempt. */
export class InvalidKeyError extends EventsError {
  readonly code = 'EVENTS_INVALID_KEY';

  constructor(
    readonly handler: string,
    /** The function at fault: `rateLimit.key`, `idempotency.key`, or the definition's `rateLimitKey`, `idempotencyKey`. */
    readonly option: string,
    problem: string,
  ) {
    super(`${option} of handler ${handler} answered ${problem}`);
  }
}
