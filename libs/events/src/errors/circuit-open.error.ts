import { RefusedError } from './refused.error.js';

/** The handler's circuit refused the call; nothing ran. The delivery is snoozed until a trial may start. */
export class CircuitOpenError extends RefusedError {
  readonly code = 'EVENTS_CIRCUIT_OPEN';

  constructor(
    readonly handler: string,
    readonly retryAt: number,
  ) {
    super(`the circuit of handler ${handler} is open`);
  }
}
