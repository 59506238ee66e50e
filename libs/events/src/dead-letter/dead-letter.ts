import type { StandardSchemaV1 } from '@standard-schema/spec';
import { DeliveredEvent } from '../envelope/delivered-event.js';
import type { EventDefinition } from '../envelope/event-definition.js';
import type { EventMessage } from '../envelope/event-message.js';
import type { FailedAttempt } from '../publish/event-inbox.service.js';
import { DEAD_LETTER_TYPE, type DeadLetterPayload } from '../store/dead-letter-notice.js';
import type { DeadLetterRecord, DeadReason } from '../store/records.js';

/** A delivery that will not be tried again, until somebody says so. */
export interface DeadLetter {
  /** The delivery's id. */
  readonly id: string;
  /** Name of the handler that it was for. */
  readonly handler: string;
  readonly reason: DeadReason;
  /** Attempts spent, those included that died with their node. */
  readonly attempts: number;
  readonly failures: readonly FailedAttempt[];
  readonly diedAt: Date;
  /** As it was published. */
  readonly event: EventMessage;
}

export function toDeadLetter({ event, ...letter }: DeadLetterRecord): DeadLetter {
  return { ...aboutDeath(letter), event: new DeliveredEvent(event) };
}

/**
 * What `@OnDeadLetter` handlers subscribe to. Its schema makes a dead letter of the notice that the store has written, so
 * that all of the chain sees what the method sees.
 */
export const deadLetterEvent: EventDefinition<DeadLetter> = Object.freeze({
  type: DEAD_LETTER_TYPE,
  version: 1,
  schema: noticeSchema(),
});

function noticeSchema(): StandardSchemaV1<unknown, DeadLetter> {
  const validate = (notice: unknown) => ({ value: readNotice(notice as DeadLetterPayload) });
  return { '~standard': { version: 1, vendor: 'nestjs-durable-events', validate } };
}

function readNotice({ event, ...letter }: DeadLetterPayload): DeadLetter {
  const { payload, headers, ...about } = event;
  const stored = { ...about, payload: null, headers: headers && JSON.stringify(headers), priority: null };
  return { ...aboutDeath(letter), event: DeliveredEvent.withParsed(stored, payload) };
}

function aboutDeath(letter: Omit<DeadLetterRecord, 'event'>): Omit<DeadLetter, 'event'> {
  const { id, handler, reason, attempts, failures, diedAt } = letter;
  return {
    id: String(id),
    handler,
    reason,
    attempts,
    failures: failures.map((failure) => ({ ...failure, at: new Date(failure.at) })),
    diedAt: new Date(diedAt),
  };
}
