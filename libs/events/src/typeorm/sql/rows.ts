import type {
  AttemptFailure,
  ClaimedDelivery,
  DeadLetterRecord,
  DeadReason,
  StoredEvent,
} from '../../store/records.js';

import type { Pick } from './lane-plan.js';

/** Payloads above this many bytes are left out of claims. */
export const LARGE_PAYLOAD_BYTES = 65_536;

/** When a delivery waits: its moment if that is still to come. */
export function dueAt(availableAt: number | null, now: number): number | null {
  return availableAt !== null && availableAt > now ? availableAt : null;
}

/** The columns of an event in a joined row. */
export const EVENT_COLUMNS = `i.seq, i.id as event_id, i.type, i.version, i.headers, i.ordering_key,
  i.priority as event_priority, i.occurred_at, i.received_at`;

export interface EventRow {
  seq: number;
  event_id: string;
  type: string;
  version: number;
  payload: string | null;
  headers: string | null;
  ordering_key: string | null;
  event_priority: number | null;
  occurred_at: number;
  received_at: number;
}

export interface ClaimRow extends EventRow {
  id: number;
  handler: string;
  priority: number;
  attempts: number;
  crashes: number;
  claims: number;
  rate_slot: number | null;
  due_at: number | null;
  lane: string | null;
}

export interface DeadLetterRow extends EventRow {
  id: number;
  handler: string;
  reason: DeadReason;
  attempts: number;
  crashes: number;
  errors: string | null;
  dead_at: number;
}

export function toEvent(row: EventRow): StoredEvent {
  return {
    seq: row.seq,
    id: row.event_id,
    type: row.type,
    version: row.version,
    payload: row.payload,
    headers: row.headers,
    orderingKey: row.ordering_key,
    priority: row.event_priority,
    occurredAt: row.occurred_at,
    receivedAt: row.received_at,
  };
}

export function toClaimed(row: ClaimRow): ClaimedDelivery {
  return {
    id: row.id,
    claims: row.claims,
    handler: row.handler,
    priority: row.priority,
    attempts: row.attempts,
    crashes: row.crashes,
    rateSlot: row.rate_slot,
    dueAt: row.due_at ?? row.received_at,
    lane: row.lane,
    event: toEvent(row),
  };
}

/** Lower priority first, then older. */
export function byUrgency(a: { priority: number; id: number }, b: { priority: number; id: number }): number {
  return a.priority - b.priority || a.id - b.id;
}

/** What was picked of lanes, each run together and in its order, among the others by the urgency of what brought its lane up. */
export function inRuns(claimed: readonly ClaimedDelivery[], picks: readonly Pick[]): ClaimedDelivery[] {
  const byId = new Map(picks.map((pick) => [pick.id, pick]));
  const placed = claimed.map((one) => ({ one, at: byId.get(one.id) ?? { ...one, rank: one.id, place: 0 } }));
  placed.sort((a, b) => a.at.priority - b.at.priority || a.at.rank - b.at.rank || a.at.place - b.at.place);
  return placed.map(({ one }) => one);
}

export function toDeadLetter(row: DeadLetterRow): DeadLetterRecord {
  return {
    id: row.id,
    handler: row.handler,
    reason: row.reason,
    attempts: row.attempts + row.crashes,
    failures: toFailures(row.errors),
    diedAt: row.dead_at,
    event: toEvent(row),
  };
}

/** `errors` is one JSON object a line, so that appending one is plain concatenation in every dialect. */
export function toFailures(errors: string | null): AttemptFailure[] {
  return errors === null ? [] : errors.split('\n').map((line) => JSON.parse(line) as AttemptFailure);
}
