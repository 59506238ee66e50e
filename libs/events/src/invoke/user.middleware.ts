import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { HandlerTimeoutError } from '../errors/handler-timeout.error.js';
import type { ProvidedClass } from '../discovery/provided-class.js';
import type { Attempt } from './attempt.js';
import type { ChainLink, Next } from './chain-link.js';
import type { ContextHeaders } from './context-headers.js';
import { ContextMiddleware } from './context.middleware.js';
import type { Deadlines } from './deadlines.js';
import type { EventMiddleware } from './middleware.js';

/**
 * What is the application's own, inside of what keeps it from blocking a slot for ever: its context, then its middleware in
 * the order given.
 */
export function userLinks(
  classes: readonly ProvidedClass<EventMiddleware>[],
  deadlines: Deadlines,
  contextHeaders?: ContextHeaders,
): ChainLink[] {
  const context = contextHeaders ? [new ContextMiddleware(contextHeaders)] : [];
  const links = [...context, ...classes.map(toLink)];
  return links.length === 0 ? [] : [new MiddlewareGuard(deadlines), ...links];
}

function toLink(provided: ProvidedClass<EventMiddleware>): ChainLink {
  return {
    name: provided.type.name,
    invoke: async (attempt, next) => (await provided.get(attempt)).invoke(attempt, next),
  };
}

/**
 * The application's middleware is outside of the handler's timeout, so it has one of its own: together with the handler it
 * may take twice that time. An attempt that is aborted does not wait for it either.
 */
class MiddlewareGuard implements ChainLink {
  readonly name = 'guard';

  constructor(private readonly deadlines: Deadlines) {}

  async invoke(attempt: Attempt, next: Next): Promise<void> {
    const { name, options } = attempt.handler;
    const longestMs = 2 * options.timeoutMs;
    await new Promise<void>((resolve, reject) => {
      const deadline = this.deadlines.add(longestMs, () => {
        const error = new HandlerTimeoutError(name, longestMs);
        attempt.abort(error);
        reject(error);
      });
      next()
        .finally(() => this.deadlines.remove(deadline))
        .then(resolve, reject);
      // A turn later: what heeds the abort ends by itself, and may have something to clean up.
      attempt.onAbort((reason) => {
        if (reason instanceof AttemptAbortedError) setImmediate(() => reject(reason));
      });
    });
  }
}
