import { EventsError } from './events.error.js';

export type AbortCause = 'shutdown' | 'cancelled' | 'lease-lost';

/** Why `context.signal` aborted, other than by timeout: nobody's failure, so nothing is charged. */
export class AttemptAbortedError extends EventsError {
  readonly code = 'EVENTS_ATTEMPT_ABORTED';

  constructor(
    readonly handler: string,
    readonly reason: AbortCause,
  ) {
    super(`the attempt of handler ${handler} was aborted: ${reason}`);
  }
}
