import type { Clock } from '../clock/clock.js';
import type { HandlerDefinition } from '../discovery/handler-definition.js';
import { CircuitBreaker, type CircuitState } from '../policies/circuit-breaker.policy.js';

export type CircuitListener = (handler: string, from: CircuitState, to: CircuitState) => void;

/** The circuit breakers of this node, one per handler that has one. */
export class Circuits {
  private readonly breakers = new Map<string, CircuitBreaker>();

  constructor(handlers: readonly HandlerDefinition[], clock: Clock, onTransition: CircuitListener) {
    for (const { name, options } of handlers) {
      if (options.circuit === false) continue;
      const breaker = new CircuitBreaker(
        options.circuit,
        () => clock.monotonic(),
        (from, to) => onTransition(name, from, to),
      );
      this.breakers.set(name, breaker);
    }
  }

  /** The handler's breaker; undefined when it has none. */
  get(handler: string): CircuitBreaker | undefined {
    return this.breakers.get(handler);
  }
}
