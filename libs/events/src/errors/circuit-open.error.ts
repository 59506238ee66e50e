import { EventsError } from './events.error.js';

/** The handler's circuit refused the call; nothing ran. The delivery is snoozed until a trial may start. */
export class CircuitOpenError extends EventsError {
  readonly code = 'EVENTS_CIRCUIT_OPEN';

  constructor(
    readonly handler: string,
    /** Milliseconds until the circuit lets a trial through. */
    readonly retryInMs: number,
  ) {
    super(`the circuit of handler ${handler} is open for another ${retryInMs} ms`);
  }
}
