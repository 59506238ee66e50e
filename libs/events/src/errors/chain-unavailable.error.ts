import { RefusedError } from './refused.error.js';

/** What the chain must ask the database before it may run the handler, it could not ask. The original error is in `cause`. */
export class ChainUnavailableError extends RefusedError {
  readonly code = 'EVENTS_CHAIN_UNAVAILABLE';

  constructor(
    readonly handler: string,
    /** What could not be asked: `payload`, `rate limit`, `idempotency key`. */
    readonly what: string,
    readonly retryAt: number,
    options?: ErrorOptions,
  ) {
    super(`the ${what} of handler ${handler} cannot be read from the database`, options);
  }
}
