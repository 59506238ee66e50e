import type { StoredEvent } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { InboxEventEntity } from '../entities/inbox-event.entity.js';
import { select, type Verb } from '../verb.js';
import { type EventRow, toEvent } from './rows.js';

/** Columns of an event `i` for the query builder. */
export const EVENT_SELECTION: Readonly<Record<keyof EventRow, string>> = {
  seq: 'i.seq',
  event_id: 'i.id',
  type: 'i.type',
  version: 'i.version',
  payload: 'i.payload',
  headers: 'i.headers',
  ordering_key: 'i.orderingKey',
  event_priority: 'i.priority',
  occurred_at: 'i.occurredAt',
  received_at: 'i.receivedAt',
};

export function findEvent(d: Dialect) {
  return function* (id: string): Verb<StoredEvent | null> {
    const builder = d.source.createQueryBuilder(InboxEventEntity, 'i').where('i.id = :id', { id });
    const [row] = yield* select<EventRow>(builder, EVENT_SELECTION);
    return row ? toEvent(row) : null;
  };
}
