import type { Invocation } from './invocation.js';

/** One link of the invoker chain: does its part and calls `next` for the rest, whose errors pass through it. */
export interface EventMiddleware {
  invoke(invocation: Invocation, next: () => Promise<void>): Promise<void>;
}
