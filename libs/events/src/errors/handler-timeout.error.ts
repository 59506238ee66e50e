import { EventsError } from './events.error.js';

/** An attempt ran longer than its handler's `timeout`. Counts as a failure. */
export class HandlerTimeoutError extends EventsError {
  readonly code = 'EVENTS_HANDLER_TIMEOUT';

  constructor(
    readonly handler: string,
    readonly timeoutMs: number,
  ) {
    super(`handler ${handler} did not end within its timeout of ${timeoutMs} ms`);
  }
}
