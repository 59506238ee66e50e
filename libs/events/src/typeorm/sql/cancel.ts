import type { Dialect } from '../dialect.js';
import { BEGIN, execute, query, type Verb } from '../verb.js';

interface Row {
  event_seq: number;
  handler: string;
  attempts: number;
  crashes: number;
  errors: string | null;
}

export function cancel(d: Dialect) {
  const { delivery, completion } = d.tables;
  const take = d.sql(`delete from ${delivery} where id = ? returning event_seq, handler, attempts, crashes, errors`);
  const keep = d.sql(`insert into ${completion} (event_seq, id, handler, outcome, attempts, finished_at, errors)
    values (?, ?, ?, 'cancelled', ?, ?, ?)`);

  return function* (id: number, now: number): Verb<boolean> {
    yield BEGIN;
    const [row] = yield* query<Row>(take, [id]);
    if (!row) return false;
    yield* execute(keep, [row.event_seq, id, row.handler, row.attempts + row.crashes, now, row.errors]);
    return true;
  };
}
