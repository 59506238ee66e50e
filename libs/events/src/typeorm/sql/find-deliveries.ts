import type { DeadReason, DeliveryRecord, DeliveryState } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { query, type Verb } from '../verb.js';
import { toFailures } from './rows.js';

type Row = Omit<DeliveryRecord, 'failures' | 'state' | 'reason'> & {
  state: DeliveryState;
  reason: DeadReason | null;
  errors: string | null;
};

/** One statement over all three tables, so that a delivery on its way between them is seen once. */
export function findDeliveries(d: Dialect) {
  const { inbox, delivery, completion, dead_letter: deadLetter } = d.tables;
  const find = d.sql(`
    select d.id as id, d.event_seq as seq, d.handler,
      case when d.lease_node is not null then 'processing' when d.available_at is not null then 'scheduled' else 'pending' end as state,
      d.attempts + d.crashes as attempts, d.available_at as "availableAt", cast(null as ${d.bigint}) as "finishedAt",
      cast(null as ${d.bigint}) as "durationMs", cast(null as ${d.type === 'mysql' ? 'char' : 'text'}) as reason, d.errors
    from ${inbox} i join ${delivery} d on d.event_seq = i.seq where i.id = ?
    union all
    select c.id as id, c.event_seq, c.handler, c.outcome, c.attempts, null, c.finished_at, c.duration_ms, null, c.errors
    from ${inbox} i join ${completion} c on c.event_seq = i.seq where i.id = ?
    union all
    select l.id as id, l.event_seq, l.handler, 'dead', l.attempts + l.crashes, null, l.dead_at, null, l.reason, l.errors
    from ${inbox} i join ${deadLetter} l on l.event_seq = i.seq where i.id = ?
    order by id`);

  return function* (eventId: string): Verb<DeliveryRecord[]> {
    const rows = yield* query<Row>(find, [eventId, eventId, eventId]);
    return rows.map(({ errors, ...record }) => ({ ...record, failures: toFailures(errors) }));
  };
}
