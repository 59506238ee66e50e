import type { Clock } from '../clock/clock.js';
import { CircuitOpenError } from '../errors/circuit-open.error.js';
import type { CircuitBreaker, CircuitIntent } from '../policies/circuit-breaker.policy.js';
import type { Attempt } from './attempt.js';
import type { ChainLink, Next } from './chain-link.js';
import type { Circuits } from './circuits.js';
import { isFailure } from './failure.js';

/** Refuses the call while the handler's circuit is open, and tells the breaker how it went. */
export class CircuitMiddleware implements ChainLink {
  readonly name = 'circuit';

  constructor(
    private readonly circuits: Circuits,
    private readonly clock: Clock,
  ) {}

  invoke(attempt: Attempt, next: Next): Promise<void> {
    const breaker = this.circuits.get(attempt.handler.name);
    return breaker ? this.watch(attempt, breaker, next) : next();
  }

  private async watch(attempt: Attempt, breaker: CircuitBreaker, next: Next): Promise<void> {
    const { name } = attempt.handler;
    if (!breaker.permits(attempt.circuitEpoch)) {
      throw attempt.refuse(new CircuitOpenError(name, this.clock.now() + Math.max(1, breaker.retryInMs())));
    }
    const ticket = breaker.begin();
    let intent: CircuitIntent | undefined;
    try {
      await next();
      intent = breaker.succeed(ticket);
    } catch (error) {
      // An error after context.transaction committed is the success that it is in the database.
      if (attempt.committed) intent = breaker.succeed(ticket);
      else if (isFailure(error, attempt)) intent = breaker.fail(ticket);
      throw error;
    } finally {
      // Before the delivery is settled, so that a trial is counted before its place is free for another.
      if (intent) await this.circuits.carryOut(name, intent);
    }
  }
}
