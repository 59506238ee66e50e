import type { Settlement } from '../../store/records.js';
import type { Tables } from '../tables.js';
import { BEGIN, each, type SqliteVerb } from '../verb.js';
import { type Fate, fateOf, leaseKey, type SettlementRow, toRow } from './settlements.js';

const FENCE = 'id = ? and claims = ? and lease_node = ?';

/** A row that leaves the live table is copied under its fence, then deleted: nobody can come between. */
export function settleSqlite(t: Tables) {
  const finish = `insert into ${t.completion} (event_seq, id, handler, outcome, attempts, duration_ms, finished_at, errors)
    select event_seq, id, handler, ?, ?, ?, ?, errors from ${t.delivery} where ${FENCE}`;
  const bury = `insert into ${t.dead_letter} (id, event_seq, handler, reason, priority, attempts, crashes, claims, ordering_key, errors, dead_at)
    select id, event_seq, handler, ?, priority, attempts + ?, crashes, claims, ordering_key,
      coalesce(errors || char(10) || ?, errors, ?), ?
    from ${t.delivery} where ${FENCE}`;
  const giveBack = `update ${t.delivery} set lease_node = null, available_at = ?, attempts = attempts + ?,
      errors = coalesce(errors || char(10) || ?, errors, ?)
    where ${FENCE}`;
  const remove = `delete from ${t.delivery} where id = ?`;

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
      of.back.map((row) => [row.availableAt, row.attempts, row.failure, row.failure, ...fence(row)]),
    );
    const written = (rows: SettlementRow[], counts: readonly number[]) =>
      rows.filter((_, index) => counts[index] === 1);
    const gone = [...written(of.finished, finished.counts), ...written(of.dead, dead.counts)];
    yield* each(
      remove,
      gone.map((row) => [row.id]),
    );
    const leases = new Set([...gone, ...written(of.back, back.counts)].map(leaseKey));
    return settlements.map((settlement) => leases.delete(leaseKey(settlement)));
  };
}
