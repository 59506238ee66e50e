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

  invoke(attempt: Attempt, next: () => Promise<void>): Promise<void> {
    const { name, options } = attempt.handler;
    const deadline = this.deadlines.add(options.timeoutMs, () =>
      attempt.abort(new HandlerTimeoutError(name, options.timeoutMs)),
    );
    return new Promise((resolve, reject) => {
      let ended = false;
      const handler = next().finally(() => {
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
