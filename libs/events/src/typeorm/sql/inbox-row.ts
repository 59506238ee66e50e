import { Buffer } from 'node:buffer';
import type { NewEvent } from '../../store/records.js';
import type { SqlValue } from '../verb.js';
import { dueAt } from './rows.js';

/** What `inboxRow` gives a value for, in its order. */
export const INBOX_COLUMNS =
  'id, type, version, payload, headers, bytes, ordering_key, priority, occurred_at, received_at, available_at, fanned_out_at';

/** An event as it is stored, where rows are given one by one. */
export function inboxRow(event: NewEvent, now: number, fannedOut: boolean): SqlValue[] {
  return [
    event.id,
    event.type,
    event.version,
    event.payload,
    event.headers,
    Buffer.byteLength(event.payload),
    event.orderingKey,
    event.priority,
    event.occurredAt,
    now,
    dueAt(event.availableAt, now),
    fannedOut ? now : null,
  ];
}
