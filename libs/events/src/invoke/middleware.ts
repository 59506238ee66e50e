import type { Invocation } from './invocation.js';

/**
 * One link of the invoker chain, made by the application: runs around every attempt of every handler, inside tracing and
 * metrics, outside of rate limit, idempotency, circuit breaker and timeout. Name the class, a provider anywhere in the
 * application, in the module option `middleware`; a request-scoped one is made for each delivery, with the `Invocation` as
 * `REQUEST`.
 *
 * It calls `next` for the rest of the chain: once as a rule; not at all and the delivery completes without its handler;
 * again and the handler runs again in the same attempt. An error that it throws, or lets through, ends the attempt; one
 * that it swallows does not. "Not now" (rate limit, open circuit, key in use) stands whatever it does with the error.
 */
export interface EventMiddleware {
  invoke(invocation: Invocation, next: () => Promise<void>): Promise<void>;
}
