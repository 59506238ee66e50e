import { EventsError } from './events.error.js';

/** The last attempt of a delivery died with the node that ran it: the handler may be what killed the process. */
export class NodeLostError extends EventsError {
  readonly code = 'EVENTS_NODE_LOST';

  constructor(
    readonly handler: string,
    /** Attempts that failed. */
    readonly attempts: number,
    /** Attempts whose node died. */
    readonly crashes: number,
  ) {
    super(`of the attempts of ${handler} ${attempts} failed and ${crashes} died with their node`);
  }
}
