import { EventsError } from './events.error.js';

/**
 * Thrown by a handler to say that trying again cannot help: the delivery becomes a dead letter at once, with
 * reason `rejected`, and the circuit breaker does not count it. It is found inside `cause` chains and
 * `AggregateError`s as well.
 */
export class PermanentError extends EventsError {
  readonly code = 'EVENTS_PERMANENT';
}
