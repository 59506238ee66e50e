import { tracingChannel } from 'node:diagnostics_channel';
import type { Attempt } from './attempt.js';
import type { ChainLink, Next } from './chain-link.js';

/** Every attempt, from its first link to its last, for whoever subscribes: `{ invocation }`. Free when nobody does. */
const attempts = tracingChannel<Attempt, { invocation: Attempt }>('nestjs-durable-events:attempt');

/** The outermost link: everything that an attempt does happens inside its trace. */
export class TracingMiddleware implements ChainLink {
  readonly name = 'tracing';

  invoke(attempt: Attempt, next: Next): Promise<void> {
    return attempts.hasSubscribers ? attempts.tracePromise(next, { invocation: attempt }) : next();
  }
}
