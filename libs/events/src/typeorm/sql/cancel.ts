import type { Dialect } from '../dialect.js';
import { BEGIN, execute, query, type Verb } from '../verb.js';
import { type Lane, lockLanes, wakeLanes } from './lanes.js';

interface Row {
  event_seq: number;
  handler: string;
  attempts: number;
  crashes: number;
  ordering_key: string | null;
  errors: string | null;
}

export function cancel(d: Dialect) {
  const { delivery, completion } = d.tables;
  const find = d.sql(`select handler, ordering_key from ${delivery} where id = ? and ordering_key is not null`);
  const columns = 'event_seq, handler, attempts, crashes, ordering_key, errors';
  const take =
    d.type === 'mysql'
      ? `select ${columns} from ${delivery} where id = ? for update`
      : d.sql(`delete from ${delivery} where id = ? returning ${columns}`);
  const remove = `delete from ${delivery} where id = ?`;
  const keep = d.sql(`insert into ${completion} (event_seq, id, handler, outcome, attempts, finished_at, errors)
    values (?, ?, ?, 'cancelled', ?, ?, ?)`);
  const [lock, wake] = [lockLanes(d), wakeLanes(d)];

  return function* (id: number, now: number): Verb<boolean> {
    yield BEGIN;
    // Before anything is locked; see `laneLocks`.
    yield* lock(yield* query<Lane>(find, [id]));
    const [row] = yield* query<Row>(take, [id]);
    if (!row) return false;
    if (d.type === 'mysql') yield* execute(remove, [id]);
    yield* execute(keep, [row.event_seq, id, row.handler, row.attempts + row.crashes, now, row.errors]);
    yield* wake([row]);
    return true;
  };
}
