import { ContextRestoreError } from '../errors/context-restore.error.js';
import type { Attempt } from './attempt.js';
import type { ChainLink, Next } from './chain-link.js';
import type { ContextHeaders } from './context-headers.js';

/** Runs the rest in the context that the event's headers tell of. */
export class ContextMiddleware implements ChainLink {
  readonly name = 'context';

  constructor(private readonly contextHeaders: Pick<ContextHeaders, 'restore'>) {}

  async invoke(attempt: Attempt, next: Next): Promise<void> {
    let running: Promise<void> | undefined;
    const run = () => {
      if (!running) {
        running = next();
        // It is waited for below; until then nobody may be there to hear of its rejection.
        running.catch(() => {});
      }
      return running;
    };
    let error: { readonly thrown: unknown } | undefined;
    try {
      await this.contextHeaders.restore(attempt.event.headers, run);
    } catch (thrown) {
      error = { thrown };
    }
    // The handler's own error goes first: it says whether to try again.
    await running;
    if (error) throw error.thrown;
    if (!running) throw new ContextRestoreError(attempt.handler.name);
  }
}
