import { Buffer } from 'node:buffer';
import { LockTimeoutError } from '../../errors/lock-timeout.error.js';
import type { AppendRequest, AppendResult } from '../../store/inbox.store.js';
import type { NewEvent } from '../../store/records.js';
import { LOCK_WAIT_TIMEOUT } from '../mysql/conflicts.js';
import { LOCK_WAIT_S } from '../mysql/session.js';
import type { Tables } from '../tables.js';
import { BEGIN, execute, query, queryFresh, type SqlValue, type Verb } from '../verb.js';
import { leaseMysql } from './claim.mysql.js';
import { INBOX_COLUMNS, inboxRow } from './inbox-row.js';
import { orderingLocks } from './ordering-locks.js';
import { dueAt } from './rows.js';

const DUPLICATE = 1062;
/** Each finds ids that have come since the one before it. */
const MOST_TRIES = 10;
/** A statement must fit into a packet: at most 16 MiB by default, and the texts take twice their size in it. */
const LONGEST_INSERT_BYTES = 2 ** 21;

interface Known {
  version: number | string;
  step: number | string;
  id: string | null;
}

/**
 * `seq` is the statement's first, counted on: a plain insert of given rows takes its numbers together. It is plain since
 * of one that passes duplicates over nobody knows which rows it wrote. Ids that are known are left out before; one that
 * comes in between, or was published by the same transaction, fails the insert, which is done again without it.
 */
export function appendMysql(t: Tables) {
  const lock = `select id from ${t.lock} force index (primary) where id in (?) order by id for update`;
  const known = `select r.version, @@auto_increment_increment as step, i.id
    from ${t.registry} r left join ${t.inbox} i on i.id in (?) where r.id = 1`;
  const store = `insert into ${t.inbox}
    (${INBOX_COLUMNS})
    values ?`;
  const taken = `select id from ${t.inbox} where id in (?) lock in share mode`;
  const deliver = deliverMysql(t);
  const lease = leaseMysql(t);

  function* insert(
    events: readonly NewEvent[],
    toRow: (event: NewEvent) => SqlValue[],
    step: number,
  ): Verb<Map<NewEvent, number>> {
    let left = events;
    for (let tries = 1; ; tries++) {
      if (left.length === 0) return new Map();
      try {
        const first = (yield { sql: store, params: [left.map(toRow) as (string | number | null)[][]] }).rowIds[0];
        return new Map(left.map((event, index) => [event, first + index * step]));
      } catch (error) {
        if ((error as { errno?: number }).errno !== DUPLICATE || tries === MOST_TRIES) throw error;
      }
      const ids = new Set((yield* query<{ id: string }>(taken, [left.map(({ id }) => id)])).map(({ id }) => id));
      left = left.filter(({ id }) => !ids.has(id));
    }
  }

  return function* (request: AppendRequest): Verb<AppendResult> {
    yield BEGIN;
    if (request.lockWaitMs === undefined) return yield* append(request);
    return yield* inHaste(request.lockWaitMs, append(request));
  };

  function* append({ events, registryVersion, now, claim }: AppendRequest): Verb<AppendResult> {
    const locks = orderingLocks(events);
    if (locks.length > 0) yield* query(lock, [locks]);
    const found = yield* queryFresh<Known>(known, [events.length > 0 ? events.map(({ id }) => id) : [null]]);
    const fannedOut = found.length > 0 && Number(found[0].version) === registryVersion;
    const seen = new Set(found.map(({ id }) => id));
    const fresh = events.filter(({ id }) => !seen.has(id) && seen.add(id));
    const toRow = (event: NewEvent) => inboxRow(event, now, fannedOut);
    const seqs = new Map<NewEvent, number>();
    for (const part of inPackets(fresh)) {
      for (const [event, seq] of yield* insert(part, toRow, Number(found[0]?.step ?? 1))) seqs.set(event, seq);
    }
    if (fannedOut) {
      const deliveries = events.flatMap((event) => {
        const seq = seqs.get(event);
        const due = dueAt(event.availableAt, now);
        return seq === undefined
          ? []
          : event.deliveries.map((to) => [seq, to.handler, to.priority, due, null, to.orderingKey]);
      });
      if (deliveries.length > 0) yield* execute(deliver, [deliveries]);
    }
    const result = { stored: events.map((event) => seqs.has(event)), fannedOut };
    return claim ? { ...result, claimed: yield* lease(claim) } : result;
  }
}

/** Waits for no lock longer than this; the server knows whole seconds only. @throws LockTimeoutError */
function* inHaste<R>(lockWaitMs: number, verb: Verb<R>): Verb<R> {
  const limit = 'set session innodb_lock_wait_timeout = ?';
  yield* execute(limit, [Math.ceil(lockWaitMs / 1_000)]);
  try {
    const result = yield* verb;
    yield* execute(limit, [LOCK_WAIT_S]);
    return result;
  } catch (error) {
    // If this fails too, the connection is gone, and its limit with it.
    yield* execute(limit, [LOCK_WAIT_S]);
    if ((error as { errno?: number }).errno !== LOCK_WAIT_TIMEOUT) throw error;
    throw new LockTimeoutError((error as Error).message, { cause: error });
  }
}

/** Parameter: rows of event, handler, priority, moment to wait for, due time (null = its event's), ordering key. */
export function deliverMysql(t: Tables): string {
  return `insert into ${t.delivery} (event_seq, handler, priority, available_at, due_at, ordering_key) values ?`;
}

function inPackets(events: readonly NewEvent[]): NewEvent[][] {
  const packets: NewEvent[][] = [];
  let bytes = Infinity;
  for (const event of events) {
    const size = Buffer.byteLength(event.payload) + Buffer.byteLength(event.headers ?? '');
    if (bytes + size > LONGEST_INSERT_BYTES) {
      packets.push([]);
      bytes = 0;
    }
    packets.at(-1)?.push(event);
    bytes += size;
  }
  return packets;
}
