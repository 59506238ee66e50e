import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { HandlerTimeoutError } from '../errors/handler-timeout.error.js';
import type { Attempt } from './attempt.js';
import type { Deadlines } from './deadlines.js';
import type { ChainLink, Next } from './chain-link.js';

/**
 * Ends an attempt when its handler's timeout has passed or when it is aborted for another reason. The handler may go on
 * running (nothing can stop it but its own reading of the signal): it is then counted by `onLeak` until it ends, and
 * what it does is fenced off by the lease.
 */
export class TimeoutMiddleware implements ChainLink {
  readonly name = 'timeout';

  constructor(
    private readonly deadlines: Deadlines,
    private readonly onLeak: (attempt: Attempt, ended: Promise<void>) => void,
  ) {}

  invoke(attempt: Attempt, next: Next): Promise<void> {
    // Aborted before it has begun, while its payload was read: the handler must not start.
    if (attempt.aborted) {
      noteCutOff(attempt, attempt.aborted);
      return Promise.reject(attempt.aborted);
    }
    const { name, options } = attempt.handler;
    const deadline = this.deadlines.add(options.timeoutMs, () =>
      attempt.abort(new HandlerTimeoutError(name, options.timeoutMs)),
    );
    return new Promise<void>((resolve, reject) => {
      let ended = false;
      const end = () => {
        ended = true;
        this.deadlines.remove(deadline);
      };
      const handler = begin(next);
      handler.then(end, end);
      handler.then(resolve, reject);
      attempt.onAbort((reason) => {
        // A handler that heeds its signal ends within this turn; only one that does not has leaked.
        setImmediate(() => {
          if (!ended) this.onLeak(attempt, handler);
        });
        if (!ended) noteCutOff(attempt, reason);
        reject(reason);
      });
    });
  }
}

/** An async function would take two more promises, for every attempt. */
function begin(next: Next): Promise<void> {
  try {
    return next();
  } catch (error) {
    return Promise.reject(error);
  }
}

/** So that a middleware which swallows the error does not complete what never ended. A timeout is an error like others. */
function noteCutOff(attempt: Attempt, reason: Error): void {
  if (reason instanceof AttemptAbortedError) attempt.cutOff = true;
}
