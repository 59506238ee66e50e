import { deliveryRecord } from '../store/memory/memory-records.js';
import type { DeliveryRow } from '../store/memory/memory-rows.js';
import type { DeadReason, DeliveryState } from '../store/records.js';

/** What has become of an event for one handler. */
export interface DeliveryOutcome {
  readonly handler: string;
  readonly eventType: string;
  readonly eventId: string;
  /** `completed`, `duplicate`, `cancelled` or `dead`; as long as it is none of those, where it stands. */
  readonly outcome: DeliveryState;
  /** Attempts spent. */
  readonly attempts: number;
  /** Why it is `dead`. */
  readonly reason?: DeadReason;
  /** When a `scheduled` one falls due. */
  readonly availableAt?: Date;
  /** Of the attempts that failed, in order: `Name: message`. */
  readonly errors: readonly string[];
}

export function outcomeOf(row: DeliveryRow): DeliveryOutcome {
  const { handler, state, attempts, reason, availableAt, failures } = deliveryRecord(row);
  return {
    handler,
    eventType: row.event.stored.type,
    eventId: row.event.stored.id,
    outcome: state,
    attempts,
    ...(reason !== null && { reason }),
    ...(availableAt !== null && { availableAt: new Date(availableAt) }),
    errors: failures.map(({ name, message }) => (message === '' ? name : `${name}: ${message}`)),
  };
}

export function describeOutcome(one: DeliveryOutcome): string {
  const { handler, eventType, eventId, outcome, attempts, reason, availableAt, errors } = one;
  const details = [
    `${attempts} attempt${attempts === 1 ? '' : 's'}`,
    ...(availableAt ? [`due ${availableAt.toISOString()}`] : []),
    ...(errors.length > 0 ? [`last ${errors.at(-1)}`] : []),
  ];
  return `${handler}: ${eventType} ${eventId} ${outcome}${reason ? ` (${reason})` : ''}, ${details.join(', ')}`;
}
