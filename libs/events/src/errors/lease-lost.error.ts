import { EventsError } from './events.error.js';

/** The delivery belongs to another node by now, or was cancelled: whatever this attempt wrote was rolled back. */
export class LeaseLostError extends EventsError {
  readonly code = 'EVENTS_LEASE_LOST';

  constructor(
    readonly handler: string,
    readonly deliveryId: string,
  ) {
    super(`delivery ${deliveryId} of handler ${handler} is no longer leased to this attempt`);
  }
}
