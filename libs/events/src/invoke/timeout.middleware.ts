import { HandlerTimeoutError } from '../errors/handler-timeout.error.js';
import type { Attempt } from './attempt.js';
import type { Deadlines } from './deadlines.js';
import type { EventMiddleware } from './middleware.js';

/**
 * Ends an attempt when its handler's timeout has passed or when it is aborted for another reason. The handler may go on
 * running (nothing can stop it but its own reading of the signal): it is then counted by `onLeak` until it ends, and
 * what it does is fenced off by the lease.
 */
export class TimeoutMiddleware implements EventMiddleware {
  constructor(
    private readonly deadlines: Deadlines,
    private readonly onLeak: (attempt: Attempt, ended: Promise<void>) => void,
  ) {}

  async invoke(attempt: Attempt, next: () => Promise<void>): Promise<void> {
    // Aborted before it has begun, while its payload was read: the handler must not start.
    if (attempt.aborted) throw attempt.aborted;
    const { name, options } = attempt.handler;
    const deadline = this.deadlines.add(options.timeoutMs, () =>
      attempt.abort(new HandlerTimeoutError(name, options.timeoutMs)),
    );
    await new Promise<void>((resolve, reject) => {
      let ended = false;
      // In an async function, so that a synchronous throw takes the same way.
      const handler = (async () => next())().finally(() => {
        ended = true;
        this.deadlines.remove(deadline);
      });
      handler.then(resolve, reject);
      attempt.onAbort((reason) => {
        // A handler that heeds its signal ends within this turn; only one that does not has leaked.
        setImmediate(() => {
          if (!ended) this.onLeak(attempt, handler);
        });
        reject(reason);
      });
    });
  }
}
