import type { PruneRequest } from '../../store/event-store.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, execute, query, type SqlValue, type Verb } from '../verb.js';
import { type Lane, wakeLanes } from './lanes.js';
import { isUnreferenced, type PrunedEvents, type PruneVerbs, stretchSql } from './prune-parts.js';
import { pruneMysql } from './prune.mysql.js';

/** What goes from a table: which rows, in which order, and what must still hold of a row when it is deleted. */
interface Old {
  readonly table: string;
  readonly columns: string;
  readonly where: string;
  readonly order: string;
  readonly still?: string;
}

/** One short transaction a table, so that no table's rows stay locked while another's are sought. */
export function prune(d: Dialect): PruneVerbs {
  if (d.type === 'mysql') return pruneMysql(d);
  const { completion, idempotency, rate_limit: rateLimit } = d.tables;
  // Of keys and buckets the moment is asked once more: until one is locked, somebody may give it a new life.
  const renewable = (table: string, moment: string) => {
    const isOld = `${moment} < ?`;
    return deleteOld(d, { table, columns: 'handler, key', where: isOld, order: moment, still: isOld });
  };
  const isFinished = 'finished_at < ?';
  const history = { table: completion, columns: 'event_seq, id', where: isFinished, order: 'finished_at' };
  const goHistory = deleteOld(d, history);
  const [goKeys, goBuckets] = [renewable(idempotency, 'expires_at'), renewable(rateLimit, 'full_at')];
  return {
    pruneHistory: ({ completedBefore, limit }: PruneRequest) => goHistory([completedBefore, limit]),
    pruneLetters: pruneLetters(d),
    pruneKeys: ({ now, limit }: PruneRequest) => goKeys([now, limit, now]),
    pruneBuckets: ({ now, limit }: PruneRequest) => goBuckets([now, limit, now]),
    pruneEvents: pruneEvents(d),
  };
}

/** Not the letters that block a lane in which something waits. */
function pruneLetters(d: Dialect) {
  const { delivery, dead_letter: deadLetter } = d.tables;
  const keepsWaiting = `blocking and exists (select 1 from ${delivery} w
    where w.handler = e.handler and w.ordering_key = e.ordering_key)`;
  const where = `dead_at < ? and not (${keepsWaiting})`;
  const go = deleteOldSql(d, { table: deadLetter, columns: 'id', where, order: 'dead_at' });
  const wake = wakeLanes(d);

  return function* ({ deadBefore, limit }: PruneRequest): Verb<number> {
    yield BEGIN;
    const gone = yield* query<Lane>(`${go} returning handler, ordering_key`, [deadBefore, limit]);
    // For a delivery that came in between.
    yield* wake(gone);
    return gone.length;
  };
}

/**
 * A stretch of the inbox in the order of `seq`, which follows time closely enough: beyond a whole stretch of young events
 * there are no old ones. Events that must stay are so passed over once, however many they are, and not again by each batch.
 */
function pruneEvents(d: Dialect) {
  const stretch = stretchSql(d);
  const where = `seq > ? and seq <= ? and received_at < ? and fanned_out_at is not null and ${isUnreferenced(d)}`;
  const unused = deleteOld(d, { table: d.tables.inbox, columns: 'seq', where, order: 'seq' });

  return function* ({ completedBefore, limit }: PruneRequest, after: number, length: number): Verb<PrunedEvents> {
    const [{ up_to: upTo, oldest }] = yield* query<{ up_to: number | null; oldest: number | null }>(stretch, [
      after,
      length,
    ]);
    if (upTo === null || oldest === null || oldest >= completedBefore) return { rows: 0, next: null };
    const rows = yield* unused([after, upTo, completedBefore, limit]);
    return { rows, next: rows === limit ? after : upTo };
  };
}

function deleteOld(d: Dialect, old: Old) {
  const sql = deleteOldSql(d, old);

  return function* (params: readonly SqlValue[]): Verb<number> {
    yield BEGIN;
    return yield* execute(sql, params);
  };
}

/**
 * Rows are locked before they go, in the order of an index, and those that somebody else has locked are passed over:
 * nodes that prune at once, or an operator's redrive, never wait for each other. They are sought once and for all
 * (materialized): a subquery with a limit and a lock that were run again would take other rows each time.
 */
function deleteOldSql(d: Dialect, { table, columns, where, order, still }: Old): string {
  const old = `select ${columns} from ${table} e where ${where} order by ${order} limit ? ${d.forUpdateSkipLocked}`;
  return d.sql(`with old as materialized (${old})
    delete from ${table} where (${columns}) in (select ${columns} from old) ${still ? `and ${still}` : ''}`);
}
