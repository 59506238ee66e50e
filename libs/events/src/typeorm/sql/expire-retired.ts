import type { Dialect } from '../dialect.js';
import { BEGIN, execute, query, type SqliteVerb } from '../verb.js';
import { moveLane } from './adopt-handler.js';
import { deadLetterNotices } from './dead-letter-notices.js';
import { isBlocking, type Lane, lockLanes, wakeLanes } from './lanes.js';

interface Retired {
  name: string;
  successor: string | null;
}

/**
 * Looks first, without a transaction. Then the retired handlers are locked, so that none is announced again meanwhile.
 * There is no index to find their deliveries by: it would cost every publish, and this is rare.
 */
export function expireRetired(d: Dialect) {
  const { handler: handlers, delivery, dead_letter: deadLetter } = d.tables;
  const retired = `select name, successor from ${handlers} where retired_at is not null order by name`;
  const find = d.sql(`select id, handler from ${delivery} where ${d.oneOf('handler')} and lease_node is null
    order by id limit ?`);
  const laned = d.sql(
    `select handler, ordering_key from ${delivery} where ordering_key is not null and ${d.oneOf('id')}`,
  );
  const take = d.sql(`select id, handler from ${delivery} where ${d.oneOf('id')} and lease_node is null
    order by id ${d.forUpdate}`);
  const adopt = d.sql(`update ${delivery} set handler = ?, ${moveLane(d)} where ${d.oneOf('id')}`);
  const bury = d.sql(`insert into ${deadLetter}
      (id, event_seq, handler, reason, priority, attempts, crashes, claims, ordering_key, blocking, errors, dead_at)
    select id, event_seq, handler, 'expired', priority, attempts, crashes, claims, ordering_key, ${isBlocking(d.tables, delivery)},
      errors, ?
    from ${delivery} where ${d.oneOf('id')}`);
  const remove = d.sql(`delete from ${delivery} where ${d.oneOf('id')}`);
  const publishNotices = deadLetterNotices(d);
  const [lock, wake] = [lockLanes(d), wakeLanes(d)];

  return function* (now: number, limit: number): SqliteVerb<number> {
    const before = (yield* query<Retired>(retired)).map(({ name }) => name);
    if (before.length === 0 || (yield* query(find, [d.list(before), 1])).length === 0) return 0;
    yield BEGIN;
    const rows = yield* query<Retired>(`${retired} ${d.forUpdate}`);
    const successors = new Map(rows.map(({ name, successor }) => [name, successor]));
    const waiting = yield* query<{ id: number }>(find, [d.list([...successors.keys()]), limit]);
    const all = d.list(waiting.map(({ id }) => id));
    // Before anything in them is locked; see `laneLocks`.
    const lanes = yield* query<Lane>(laned, [all]);
    yield* lock(lanes);
    const found = yield* query<{ id: number; handler: string }>(take, [all]);
    const heirs = found.map(({ handler }) => heirOf(handler, successors));
    for (const heir of new Set(heirs)) {
      const ids = found.flatMap(({ id }, index) => (heirs[index] === heir ? [id] : []));
      if (heir !== null) {
        yield* execute(adopt, [heir, heir, d.list(ids)]);
      } else {
        yield* execute(bury, [now, d.list(ids)]);
        yield* execute(remove, [d.list(ids)]);
        yield* publishNotices(ids, now);
      }
    }
    yield* wake(lanes);
    return found.length;
  };
}

/** Who has adopted it, or has adopted who has; null if the last of them is retired for good. */
function heirOf(handler: string, successors: ReadonlyMap<string, string | null>): string | null {
  const passed = new Set<string>();
  let heir: string | null = handler;
  while (heir !== null && successors.has(heir)) {
    // No verb makes a ring of them, but a hand in the database could.
    if (passed.has(heir)) return null;
    passed.add(heir);
    heir = successors.get(heir) ?? null;
  }
  return heir;
}
