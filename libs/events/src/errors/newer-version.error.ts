import { RefusedError } from './refused.error.js';

/** The event is of a version that this node does not know yet; it waits for a node that does, as in a rolling deploy. */
export class NewerVersionError extends RefusedError {
  readonly code = 'EVENTS_NEWER_VERSION';

  constructor(
    readonly eventType: string,
    readonly version: number,
    /** The newest version that this node's definition knows. */
    readonly known: number,
    readonly retryAt: number,
  ) {
    super(`${eventType} is of version ${version}, but this node knows versions up to ${known}`);
  }
}
