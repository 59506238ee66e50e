import { EventsError } from './events.error.js';

/** Of the test kit: `drain()` gave up waiting for the node to have nothing more to do. */
export class NotIdleError extends EventsError {
  readonly code = 'EVENTS_NOT_IDLE';

  constructor(
    why: string,
    /** What still waits or runs, one line each. */
    readonly waiting: readonly string[],
  ) {
    super(`the node does not come to rest: ${why}\n${waiting.map((line) => `  ${line}\n`).join('')}`.trimEnd());
  }
}
