import type { Dialect } from '../dialect.js';
import type { Tables } from '../tables.js';
import { execute, query, type Verb } from '../verb.js';
import { givenRows } from './given-rows.js';
import { laneLocks } from './ordering-locks.js';

/** Names a lane. */
export interface Lane {
  readonly handler: string;
  readonly ordering_key: string;
}

/** The lanes among these, each once. */
export function lanesOf(rows: readonly { readonly handler: string; readonly ordering_key: string | null }[]): Lane[] {
  const lanes = new Map<string, Lane>();
  for (const { handler, ordering_key: key } of rows) {
    if (key !== null) lanes.set(JSON.stringify([handler, key]), { handler, ordering_key: key });
  }
  return [...lanes.values()];
}

/** Whether a delivery in `row`, about to be a dead letter, keeps its lane waiting. */
export function isBlocking(t: Tables, row: string): string {
  return `(${row}.ordering_key is not null and exists (select 1 from ${t.handler} h
    where h.name = ${row}.handler and h.ordered and h.on_dead_letter = 'block'))`;
}

/** Part of a verb: nobody else changes these lanes until the transaction ends. See `laneLocks`. */
export function lockLanes(d: Dialect) {
  const lock = d.sql(`select id from ${d.tables.lock} where ${d.oneOf('id')} order by id ${d.forUpdate}`);

  return function* (lanes: readonly Lane[]): Verb<void> {
    // SQLite has one writer anyway.
    if (lanes.length > 0 && d.type !== 'better-sqlite3')
      yield* query(lock, [d.list(laneLocks(lanes))], 'events:lock-lanes');
  };
}

/**
 * Part of a verb that has ended a lease, or taken a delivery or a blocking dead letter out of these lanes: whoever is
 * first in each now is worth a claim's look again. Always the last of the verb that has to do with lanes, and a statement
 * of its own, so that it sees what others did before the lock was had.
 */
export function wakeLanes(d: Dialect) {
  const { delivery } = d.tables;
  const given = givenRows(d, { handler: 'text', ordering_key: 'text' });
  const firsts = `select (select id from ${delivery} f where f.handler = g.handler and f.ordering_key = g.ordering_key
      order by f.handler, f.ordering_key, f.event_seq limit 1) as id from ${given.table}`;
  const isParked = d.type === 'postgres' ? 'lane_wait' : 'lane_wait = 1';
  // An array keeps PostgreSQL from joining by a full scan.
  const wake = d.sql(`update ${delivery} set lane_wait = false
    where ${isParked} and id ${d.type === 'postgres' ? `= any(array(${firsts}))` : `in (${firsts})`}`);
  const lock = lockLanes(d);
  const wakeOnMysql = wakeMysql(d);

  return function* (rows: readonly { readonly handler: string; readonly ordering_key: string | null }[]): Verb<void> {
    const lanes = lanesOf(rows);
    if (lanes.length === 0) return;
    yield* lock(lanes);
    if (d.type === 'mysql') yield* wakeOnMysql(lanes);
    else yield* execute(wake, given.params(lanes));
  };
}

/**
 * No update looks into its own table there. The first of a lane is only read, since who has it leased may be waiting for
 * the lane's lock; of those that wait, whoever changes one has locked the lane, or what it waits for. Inside an
 * application's transaction only a locking read sees past the snapshot.
 */
function wakeMysql(d: Dialect) {
  const { delivery } = d.tables;
  const given = givenRows(d, { handler: 'text', ordering_key: 'text' });
  const parked = `select p.id from (
      select (select f.id from ${delivery} f force index (lane)
        where f.handler = g.handler and f.ordering_key = g.ordering_key order by f.event_seq limit 1) as id
      from ${given.table}
    ) w straight_join ${delivery} p on p.id = w.id where p.lane_wait = 1`;
  const first = `(select id, lane_wait from ${delivery} force index (lane)
    where handler = ? and ordering_key = ? order by event_seq limit 1 for update)`;
  const wake = `update ${delivery} set lane_wait = 0 where id in (?)`;

  return function* (lanes: readonly Lane[]): Verb<void> {
    const joined = {
      sql: lanes.map(() => first).join(' union all '),
      params: lanes.flatMap(({ handler, ordering_key: key }) => [handler, key]),
    };
    const { rows } = yield { sql: parked, params: given.params(lanes), joined };
    const waiting = (rows as { id: number | string; lane_wait?: number | string }[]).filter(
      ({ lane_wait: waits = 1 }) => Number(waits) === 1,
    );
    if (waiting.length > 0) yield* execute(wake, [waiting.map(({ id }) => Number(id))]);
  };
}
