import type { PruneRequest } from '../../store/event-store.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, execute, query, type SqlValue, type Verb } from '../verb.js';
import { givenRows } from './given-rows.js';
import type { HandlerKey } from './handler-keys.js';
import { type Lane, wakeLanes } from './lanes.js';
import { isUnreferenced, type PrunedEvents, type PruneVerbs, stretchSql } from './prune-parts.js';

/**
 * A delete with a subquery locks all that it looks at. So what may go is locked by a select, in the order of an index and
 * without what somebody else has locked, then deleted by its key.
 */
export function pruneMysql(d: Dialect): PruneVerbs {
  const { completion, dead_letter: deadLetter, delivery, inbox, idempotency, rate_limit: rateLimit } = d.tables;
  const forUpdate = 'for update skip locked';
  const pairs = `json_table(convert(? using utf8mb4), '$[*]' columns (event_seq bigint path '$[0]', id bigint path '$[1]')) g`;
  const history = {
    find: `select event_seq, id from ${completion} where finished_at < ? order by finished_at limit ? ${forUpdate}`,
    remove: `delete c from ${pairs} straight_join ${completion} c on c.event_seq = g.event_seq and c.id = g.id`,
  };
  const keepsWaiting = `blocking and exists (select 1 from ${delivery} w
    where w.handler = e.handler and w.ordering_key = e.ordering_key)`;
  const letters = {
    find: `select id, handler, ordering_key from ${deadLetter} e where dead_at < ? and not (${keepsWaiting})
      order by dead_at limit ? ${forUpdate}`,
    remove: `delete from ${deadLetter} where id in (?)`,
  };
  const events = {
    stretch: stretchSql(d),
    find: `select seq as id from ${inbox} e force index (primary) where seq > ? and seq <= ? and received_at < ? and fanned_out_at is not null
      and ${isUnreferenced(d)} order by seq limit ? ${forUpdate}`,
    remove: `delete from ${inbox} where seq in (?)`,
  };
  const wake = wakeLanes(d);

  function* byId(
    { find, remove }: { find: string; remove: string },
    params: SqlValue[],
  ): Verb<(Lane & { id: number })[]> {
    const found = yield* query<Lane & { id: number }>(find, params);
    if (found.length > 0) yield* execute(remove, [found.map(({ id }) => id)]);
    return found;
  }

  return {
    *pruneHistory({ completedBefore, limit }) {
      yield BEGIN;
      const found = yield* query<{ event_seq: number; id: number }>(history.find, [completedBefore, limit]);
      if (found.length === 0) return 0;
      return yield* execute(history.remove, [JSON.stringify(found.map(({ event_seq, id }) => [event_seq, id]))]);
    },
    *pruneLetters({ deadBefore, limit }) {
      yield BEGIN;
      const gone = yield* byId(letters, [deadBefore, limit]);
      // For a delivery that came in between.
      yield* wake(gone);
      return gone.length;
    },
    pruneKeys: pruneExpired(d, idempotency, 'expires_at'),
    pruneBuckets: pruneExpired(d, rateLimit, 'full_at'),
    *pruneEvents({ completedBefore, limit }, after, length): Verb<PrunedEvents> {
      const [{ up_to: upTo, oldest }] = yield* query<{ up_to: number | null; oldest: number | null }>(events.stretch, [
        after,
        length,
      ]);
      if (upTo === null || oldest === null || oldest >= completedBefore) return { rows: 0, next: null };
      yield BEGIN;
      const rows = (yield* byId(events, [after, upTo, completedBefore, limit])).length;
      return { rows, next: rows === limit ? after : upTo };
    },
  };
}

/** Rows that are named by handler and key. */
function pruneExpired(d: Dialect, table: string, moment: string) {
  const names = givenRows(d, { handler: 'text', key: 'text' });
  const find = `select handler, \`key\` from ${table} where ${moment} < ? order by ${moment} limit ? for update skip locked`;
  const remove = `delete i from ${names.table} straight_join ${table} i on i.handler = g.handler and i.key = g.key`;

  return function* ({ now, limit }: PruneRequest): Verb<number> {
    yield BEGIN;
    const found = yield* query<HandlerKey>(find, [now, limit]);
    return found.length > 0 ? yield* execute(remove, names.params(found)) : 0;
  };
}
