import { RefusedError } from './refused.error.js';

/** The handler's rate limit has no token left. One is reserved for the delivery at `retryAt`. */
export class RateLimitedError extends RefusedError {
  readonly code = 'EVENTS_RATE_LIMITED';

  constructor(
    readonly handler: string,
    readonly retryAt: number,
  ) {
    super(`the rate limit of handler ${handler} is reached`);
  }
}
