import { inspect } from 'node:util';
import { EventsError } from './events.error.js';

/** A text that is no event-type pattern. */
export class InvalidPatternError extends EventsError {
  readonly code = 'EVENTS_INVALID_PATTERN';

  constructor(
    readonly pattern: unknown,
    /** What is wrong with it, as the rest of a sentence. */
    readonly problem: string,
  ) {
    super(`event pattern ${inspect(pattern, { depth: 0 })} ${problem}`);
  }
}
