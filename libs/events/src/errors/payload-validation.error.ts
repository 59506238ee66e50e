import { EventsError } from './events.error.js';

/** One thing that is wrong with a payload. */
export interface PayloadIssue {
  /** Where, e.g. `items[3].amount`; empty when it is the payload itself. */
  readonly path: string;
  /** What, in the words of the schema. */
  readonly message: string;
}

const MOST_NAMED = 3;

/**
 * A payload does not fit the schema of its event. When publishing: nothing was stored. In a delivery: a dead letter with
 * reason `rejected`. The message names places only: a schema's own words, which may quote the payload, are in `issues`.
 */
export class PayloadValidationError extends EventsError {
  readonly code = 'EVENTS_INVALID_PAYLOAD';
  /** Of `publishAll`: the place of the event at fault in the list. */
  index?: number;

  constructor(
    readonly eventType: string,
    readonly issues: readonly PayloadIssue[],
    options?: ErrorOptions,
  ) {
    super(`the payload of ${eventType} is invalid${places(issues)}`, options);
  }
}

function places(issues: readonly PayloadIssue[]): string {
  const paths = [...new Set(issues.map(({ path }) => path || 'the payload itself'))];
  if (paths.length === 0) return '';
  const rest = paths.length - MOST_NAMED;
  return ` at ${paths.slice(0, MOST_NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
