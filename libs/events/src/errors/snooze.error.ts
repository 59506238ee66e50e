import { EventsError } from './events.error.js';

/** How `context.snooze` leaves a handler. Nothing went wrong and no attempt is spent. */
export class SnoozeError extends EventsError {
  readonly code = 'EVENTS_SNOOZED';

  constructor(readonly delayMs: number) {
    super(`snoozed for ${delayMs} ms`);
  }
}
