import { CircuitOpenError } from '../errors/circuit-open.error.js';
import type { Attempt } from './attempt.js';
import type { Circuits } from './circuits.js';
import type { EventMiddleware } from './middleware.js';
import { isFailure } from './failure.js';

/** Refuses the call while the handler's circuit is open, and tells the breaker how it went. */
export class CircuitMiddleware implements EventMiddleware {
  constructor(private readonly circuits: Circuits) {}

  async invoke(attempt: Attempt, next: () => Promise<void>): Promise<void> {
    const breaker = this.circuits.get(attempt.handler.name);
    if (!breaker) return next();
    if (breaker.permits(1) === 0) throw new CircuitOpenError(attempt.handler.name, breaker.retryInMs());
    const ticket = breaker.begin();
    try {
      await next();
    } catch (error) {
      // An error after context.transaction committed is the success that it is in the database.
      if (attempt.committed) breaker.succeed(ticket);
      else if (isFailure(error, attempt)) breaker.fail(ticket);
      else breaker.forget(ticket);
      throw error;
    }
    breaker.succeed(ticket);
  }
}
