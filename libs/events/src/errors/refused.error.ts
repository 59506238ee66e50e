import { EventsError } from './events.error.js';

/**
 * Base of the errors with which the chain refuses to run a handler for now. Refused is not failed: no attempt is spent, the
 * delivery is snoozed.
 */
export abstract class RefusedError extends EventsError {
  /** The delivery comes back at this moment, epoch milliseconds. */
  abstract readonly retryAt: number;
}
