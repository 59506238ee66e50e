import { EventsError } from './events.error.js';

/**
 * The payload of an older version could not be lifted to the next one. In a delivery: a dead letter with reason
 * `rejected`. When publishing: nothing was stored. What the upcaster threw is in `cause`; the message never has the payload.
 */
export class UpcastError extends EventsError {
  readonly code = 'EVENTS_UPCAST';
  /** Of `publishAll`: the place of the event at fault in the list. */
  index?: number;

  constructor(
    readonly eventType: string,
    readonly fromVersion: number,
    readonly toVersion: number,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`${eventType} cannot be lifted from version ${fromVersion} to ${toVersion}: ${problem}`, options);
  }
}
