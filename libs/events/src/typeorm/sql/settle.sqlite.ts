import type { Settlement } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, each, query, type SqliteVerb } from '../verb.js';
import { deadLetterNotices } from './dead-letter-notices.js';
import { isBlocking, type Lane, wakeLanes } from './lanes.js';
import { type Fate, fateOf, keyStateOf, leaseKey, type SettlementRow, toRow } from './settlements.js';

const FENCE = 'id = ? and claims = ? and lease_node = ?';

/** A row that leaves the live table is copied under its fence, then deleted: nobody can come between. */
export function settleSqlite(d: Dialect) {
  const t = d.tables;
  const finish = `insert into ${t.completion} (event_seq, id, handler, outcome, attempts, duration_ms, finished_at, errors)
    select event_seq, id, handler, ?, ?, ?, ?, errors from ${t.delivery} where ${FENCE}`;
  const bury = `insert into ${t.dead_letter} (id, event_seq, handler, reason, priority, attempts, crashes, claims, ordering_key, blocking, errors, dead_at)
    select id, event_seq, handler, ?, priority, attempts + ?, crashes, claims, ordering_key, ${isBlocking(t, t.delivery)},
      coalesce(errors || char(10) || ?, errors, ?), ?
    from ${t.delivery} where ${FENCE}`;
  const giveBack = `update ${t.delivery} set lease_node = null, available_at = ?, rate_slot = ?, attempts = attempts + ?,
      errors = coalesce(errors || char(10) || ?, errors, ?)
    where ${FENCE}`;
  // By the handler of the row: another may have adopted the delivery, and its key, while it ran.
  const remember = `update ${t.idempotency} set state = ?, expires_at = ?
    where handler = (select handler from ${t.delivery} where id = ?) and key = ? and owner = ? and state = 'processing'`;
  const remove = `delete from ${t.delivery} where id = ?`;
  const lanesOfRows = `select handler, ordering_key from ${t.delivery}
    where ordering_key is not null and id in (select value from json_each(?))`;
  const publishNotices = deadLetterNotices(d);
  const wake = wakeLanes(d);

  return function* (node: number, settlements: readonly Settlement[], now: number): SqliteVerb<boolean[]> {
    yield BEGIN;
    const of: Record<Fate, SettlementRow[]> = { finished: [], dead: [], back: [] };
    for (const row of new Map(settlements.toReversed().map((one) => [leaseKey(one), toRow(one)])).values()) {
      of[fateOf(row.outcome)].push(row);
    }
    const fence = (row: SettlementRow) => [row.id, row.claims, node];
    const finished = yield* each(
      finish,
      of.finished.map((row) => [row.outcome, row.attempts, row.durationMs, now, ...fence(row)]),
    );
    const dead = yield* each(
      bury,
      of.dead.map((row) => [row.reason, row.attempts, row.failure, row.failure, now, ...fence(row)]),
    );
    const back = yield* each(
      giveBack,
      of.back.map((row) => [row.availableAt, row.rateSlot, row.attempts, row.failure, row.failure, ...fence(row)]),
    );
    const written = (rows: SettlementRow[], counts: readonly number[]) =>
      rows.filter((_, index) => counts[index] === 1);
    const died = written(of.dead, dead.counts);
    const gone = [...written(of.finished, finished.counts), ...died];
    const settled = [...gone, ...written(of.back, back.counts)];
    yield* each(
      remember,
      settled.flatMap(({ id, outcome, key }) => (key ? [[keyStateOf(outcome), key.expiresAt, id, key.key, id]] : [])),
    );
    const ordered = settled.filter((row) => row.lane !== null).map((row) => row.id);
    const lanes = ordered.length > 0 ? yield* query<Lane>(lanesOfRows, [JSON.stringify(ordered)]) : [];
    yield* each(
      remove,
      gone.map((row) => [row.id]),
    );
    yield* wake(lanes);
    yield* publishNotices(
      died.map((row) => row.id),
      now,
    );
    const leases = new Set(settled.map(leaseKey));
    return settlements.map((settlement) => leases.delete(leaseKey(settlement)));
  };
}
