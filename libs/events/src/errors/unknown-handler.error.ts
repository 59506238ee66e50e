import { EventsError } from './events.error.js';

/** No handler of this name: on this node, or, for what concerns the cluster, on any. */
export class UnknownHandlerError extends EventsError {
  readonly code = 'EVENTS_UNKNOWN_HANDLER';

  constructor(
    readonly handler: string,
    /** A name that looks like it. */
    readonly nearest?: string,
  ) {
    super(`there is no handler ${handler}${nearest === undefined ? '' : ` (did you mean ${nearest}?)`}`);
  }
}
