import type { AsyncLocalStorage } from 'node:async_hooks';
import type { Attempt } from './attempt.js';

/**
 * Promises that a handler has left behind and that are rejected when nobody waits for them any more. By default Node ends
 * the process for one of them; here it is the handler's error, told and survived. Rejections that come from elsewhere
 * are left to what the process does with them.
 */
export class LateRejections {
  /** @param scope in which handlers are called, so that whatever they leave behind is known to be their attempt's. */
  constructor(
    private readonly scope: AsyncLocalStorage<Attempt>,
    private readonly onRejection: (attempt: Attempt, reason: unknown) => void,
  ) {}

  start(): void {
    process.on('unhandledRejection', this.listener);
  }

  stop(): void {
    process.off('unhandledRejection', this.listener);
  }

  /** Node runs it in the async context in which the promise was rejected. */
  private readonly listener = (reason: unknown): void => {
    const attempt = this.scope.getStore();
    if (attempt) this.onRejection(attempt, reason);
    // A listener, any listener, keeps Node from ending the process; the only one must not change that.
    else if (process.listenerCount('unhandledRejection') === 1 && endsOnRejection()) throw reason;
  };
}

/** Unless the process was started with another mode. */
function endsOnRejection(): boolean {
  const flags = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' ');
  return !/--unhandled-rejections[= ](warn|none)/.test(flags);
}
