import type { Duration } from '../duration.js';
import { EventsError } from './events.error.js';

/** Thrown by a handler to ask for another attempt, optionally at a moment of its own choosing. */
export class RetryableError extends EventsError {
  readonly code = 'EVENTS_RETRYABLE';
  /** Milliseconds, or a duration such as `'30s'`; wins over the handler's backoff (but never over `maxAttempts`). */
  readonly retryAfter?: Duration;

  constructor(message: string, options?: ErrorOptions & { retryAfter?: Duration }) {
    super(message, options);
    this.retryAfter = options?.retryAfter;
  }
}
