import { RESERVED_PREFIX } from '../envelope/event-type-name.js';
import { CAUSATION_ID, CORRELATION_ID } from '../envelope/header-names.js';
import type { DeadLetterRecord, NewEvent } from './records.js';

/** The event by which `@OnDeadLetter` handlers learn of a dead letter. */
export const DEAD_LETTER_TYPE = 'events.dead-letter';

/** A dead letter as the notice's payload holds it; times are epoch milliseconds. */
export interface DeadLetterPayload extends Omit<DeadLetterRecord, 'event'> {
  readonly event: Omit<DeadLetterRecord['event'], 'payload' | 'headers' | 'priority'> & {
    readonly headers: Readonly<Record<string, string>> | null;
    /** As it was published. */
    readonly payload: unknown;
  };
}

/**
 * The event that tells of a death, to be stored raw in the transaction of the death; undefined for one of the library's
 * own events, whose dead letters raise no notice. Its id is of this death alone: `claims` has grown when a redriven delivery dies again.
 * @param letter with its event's payload.
 */
export function deadLetterNotice(letter: DeadLetterRecord, claims: number): NewEvent | undefined {
  const { event, ...rest } = letter;
  if (event.type.startsWith(RESERVED_PREFIX)) return undefined;
  const { payload, headers, priority: _priority, ...about } = event;
  const eventText = `${JSON.stringify({ ...about, headers: headers && parsed(headers) }).slice(0, -1)},"payload":${asJson(payload)}}`;
  return {
    id: `${DEAD_LETTER_TYPE}:${letter.id}:${claims}`,
    type: DEAD_LETTER_TYPE,
    version: 1,
    payload: `${JSON.stringify(rest).slice(0, -1)},"event":${eventText}}`,
    headers: JSON.stringify(headersOf(letter)),
    orderingKey: null,
    priority: null,
    occurredAt: letter.diedAt,
    availableAt: null,
    deliveries: [],
  };
}

/**
 * The event's own, so that who is told of its death is told in its context (tenant, correlation), and the trace of the
 * attempt that it died of.
 */
function headersOf({ event, failures }: DeadLetterRecord): Record<string, unknown> {
  const stored = event.headers === null ? undefined : parsed(event.headers);
  const headers: Record<string, unknown> = typeof stored === 'object' ? { ...stored } : {};
  headers[CORRELATION_ID] ??= event.id;
  headers[CAUSATION_ID] = event.id;
  const traceparent = failures.at(-1)?.trace;
  if (traceparent !== undefined) {
    headers['traceparent'] = traceparent;
    delete headers['tracestate'];
  }
  return headers;
}

/** As it is: parsed and written again, it might not be the same. What another program stored as no JSON is a text. */
function asJson(payload: string | null): string {
  if (payload === null) return 'null';
  return parsed(payload) === undefined ? JSON.stringify(payload) : payload;
}

/** Undefined when it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
