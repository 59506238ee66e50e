import type { DeadLetterQuery } from '../dead-letter.store.js';
import type {
  AttemptFailure,
  ClaimedDelivery,
  DeadLetterRecord,
  DeadReason,
  DeliveryRecord,
  HandlerBacklog,
  HeldLease,
} from '../records.js';
import type { DeliveryRow } from './memory-rows.js';

/** What callers get of a row: always a copy, never the row. */

export function claimedDelivery({
  id,
  claims,
  handler,
  priority,
  attempts,
  crashes,
  rateSlot,
  dueAt,
  orderingKey: lane,
  event,
}: DeliveryRow): ClaimedDelivery {
  const stored = { ...event.stored, payload: event.large ? null : event.stored.payload };
  return { id, claims, handler, priority, attempts, crashes, rateSlot, dueAt, lane, event: stored };
}

export function heldLease({ id, claims, handler, event, rateSlot }: DeliveryRow): HeldLease {
  return { id, claims, handler, seq: event.stored.seq, rateSlot };
}

/** A delivery of which something is left. */
export function deliveryRecord(row: DeliveryRow): DeliveryRecord {
  return {
    id: row.id,
    seq: row.event.stored.seq,
    handler: row.handler,
    state: row.state as DeliveryRecord['state'],
    attempts: row.end ? row.end.attempts : row.attempts + row.crashes,
    availableAt: row.state === 'scheduled' ? row.availableAt : null,
    finishedAt: row.end?.at ?? null,
    durationMs: row.end?.durationMs ?? null,
    reason: row.end?.reason ?? null,
    failures: failuresOf(row),
  };
}

export function deadLetterRecord(row: DeliveryRow): DeadLetterRecord {
  return {
    id: row.id,
    handler: row.handler,
    reason: row.end?.reason as DeadReason,
    attempts: row.end?.attempts ?? 0,
    failures: failuresOf(row),
    diedAt: row.end?.at ?? 0,
    event: { ...row.event.stored },
  };
}

/** Whether a dead letter is one that the query asks for. */
export function matches(row: DeliveryRow, query: DeadLetterQuery): boolean {
  const diedAt = row.end?.at ?? 0;
  return (
    (query.ids === undefined || query.ids.includes(row.id)) &&
    (query.eventId === undefined || query.eventId === row.event.stored.id) &&
    (query.eventType === undefined || query.eventType === row.event.stored.type) &&
    (query.handler === undefined || query.handler === row.handler) &&
    (query.reason === undefined || query.reason === row.end?.reason) &&
    (query.since === undefined || diedAt >= query.since) &&
    (query.until === undefined || diedAt < query.until) &&
    (query.errorText === undefined || row.failures.some((failure) => failure.includes(asJsonWrites(query.errorText))))
  );
}

/** Counts rows that are live or dead, handler by handler. */
export function handlerBacklogs(rows: Iterable<DeliveryRow>): HandlerBacklog[] {
  const backlogs = new Map<string, { -readonly [K in keyof HandlerBacklog]: HandlerBacklog[K] }>();
  for (const { handler, state, event } of rows) {
    let backlog = backlogs.get(handler);
    if (!backlog) {
      backlog = { handler, pending: 0, scheduled: 0, processing: 0, dead: 0, oldestPendingAt: null };
      backlogs.set(handler, backlog);
    }
    backlog[state as 'pending' | 'scheduled' | 'processing' | 'dead']++;
    if (state === 'pending') {
      backlog.oldestPendingAt = Math.min(backlog.oldestPendingAt ?? Infinity, event.stored.receivedAt);
    }
  }
  return [...backlogs.values()];
}

function failuresOf(row: DeliveryRow): AttemptFailure[] {
  return row.failures.map((failure) => JSON.parse(failure) as AttemptFailure);
}

/** The text as it stands inside a JSON string. */
function asJsonWrites(text = ''): string {
  return JSON.stringify(text).slice(1, -1);
}
