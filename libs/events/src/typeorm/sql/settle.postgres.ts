import type { Settlement } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { numberArray, textArray } from '../postgres/array-parameter.js';
import type { Tables } from '../tables.js';
import { BEGIN, query, type SqliteVerb } from '../verb.js';
import { deadLetterNotices } from './dead-letter-notices.js';
import { isBlocking, wakeLanes } from './lanes.js';
import { type HandlerKey, inLockOrder } from './handler-keys.js';
import { fateOf, keyStateOf, leaseKey, type SettlementRow, toRow } from './settlements.js';

/**
 * One statement, whatever the outcomes: each row is fenced by its lease, and one that leaves the live table is deleted
 * and inserted elsewhere in the same breath. A row that a rescue is changing is waited for, and then does not match.
 */
export function settlePostgres(d: Dialect) {
  const sql = [0, 1, 2, 3].map((kind) => settleSql(d.tables, { keyed: (kind & 1) > 0, lanes: (kind & 2) > 0 }));
  const publishNotices = deadLetterNotices(d);
  const wake = wakeLanes(d);

  return function* (node: number, settlements: readonly Settlement[], now: number): SqliteVerb<boolean[]> {
    const rows = [...new Map(settlements.toReversed().map((one) => [leaseKey(one), toRow(one)])).values()];
    const dead = new Set(rows.filter((row) => row.outcome === 'dead').map(leaseKey));
    const hasKeys = rows.some((row) => row.key);
    if (hasKeys) rows.sort((a, b) => inLockOrder(keyOf(a), keyOf(b)));
    const hasLanes = rows.some((row) => row.lane !== null);
    if (dead.size > 0 || hasLanes) yield BEGIN;
    const kind = Number(hasKeys) + 2 * Number(hasLanes);
    const written = yield* query<SettledRow>(
      sql[kind],
      [node, now, ...columnsOf(rows), ...(hasKeys ? keyColumnsOf(rows) : [])],
      `events:settle-${kind}`,
    );
    if (hasLanes) yield* wake(written);
    yield* publishNotices(
      written.filter((lease) => dead.has(leaseKey(lease))).map((lease) => lease.id),
      now,
    );
    const leases = new Set(written.map(leaseKey));
    return settlements.map((settlement) => leases.delete(leaseKey(settlement)));
  };
}

/** A row that was written; `ordering_key` only if any of the settlements is in a lane. */
interface SettledRow {
  id: number;
  claims: number;
  handler: string;
  ordering_key: string | null;
}

function keyOf({ handler, key }: SettlementRow): HandlerKey {
  return { handler, key: key?.key ?? '' };
}

function columnsOf(rows: readonly SettlementRow[]) {
  return [
    textArray(rows, (row) => fateOf(row.outcome)),
    numberArray('bigint', rows, (row) => row.id),
    numberArray('int', rows, (row) => row.claims),
    textArray(rows, (row) => row.outcome),
    numberArray('int', rows, (row) => row.attempts),
    numberArray('bigint', rows, (row) => row.durationMs),
    numberArray('bigint', rows, (row) => row.availableAt),
    numberArray('bigint', rows, (row) => row.rateSlot),
    textArray(rows, (row) => row.reason),
    textArray(rows, (row) => row.failure),
  ];
}

function keyColumnsOf(rows: readonly SettlementRow[]) {
  return [
    textArray(rows, (row) => row.key?.key ?? null),
    textArray(rows, (row) => keyStateOf(row.outcome)),
    numberArray('bigint', rows, (row) => row.key?.expiresAt ?? null),
  ];
}

/**
 * @param kind `keyed`: with the idempotency keys of the deliveries; `lanes`: answers what lanes they are in. Texts of their
 *   own, since most batches have neither.
 */
function settleSql(t: Tables, { keyed, lanes }: { readonly keyed: boolean; readonly lanes: boolean }): string {
  // By the handler of the row: another may have adopted the delivery, and its key, while it ran.
  const keys = `,
    held as materialized (
      select i.handler, i.key, g.key_state, g.expires_at
      from (
        select id, claims, handler from finished union all select id, claims, handler from dead
        union all select id, claims, handler from back
      ) s
      join given g on g.id = s.id and g.claims = s.claims
      join ${t.idempotency} i on i.handler = s.handler and i.key = g.key and i.owner = s.id and i.state = 'processing'
      order by g.ord for update of i
    ),
    remembered as (
      update ${t.idempotency} i set state = h.key_state, expires_at = h.expires_at
      from held h where i.handler = h.handler and i.key = h.key
    )`;
  const columns = lanes ? 'id, claims, handler, ordering_key' : 'id, claims';
  return `
    with given as materialized (
      select * from unnest($3::text[], $4::bigint[], $5::int[], $6::text[], $7::int[], $8::bigint[], $9::bigint[],
          $10::bigint[], $11::text[], $12::text[]${keyed ? ', $13::text[], $14::text[], $15::bigint[]) with ordinality' : ')'}
        g (fate, id, claims, outcome, attempts, duration_ms, available_at, rate_slot, reason, failure${keyed ? ', key, key_state, expires_at, ord' : ''})
    ),
    finished as (
      delete from ${t.delivery} d using given g
      where g.fate = 'finished' and d.id = g.id and d.claims = g.claims and d.lease_node = $1
      returning d.id, d.claims, d.event_seq, d.handler, g.outcome, g.attempts, g.duration_ms, d.errors,
        d.ordering_key
    ),
    history as (
      insert into ${t.completion} (event_seq, id, handler, outcome, attempts, duration_ms, finished_at, errors)
      select event_seq, id, handler, outcome, attempts, duration_ms, $2, errors from finished
    ),
    dead as (
      delete from ${t.delivery} d using given g
      where g.fate = 'dead' and d.id = g.id and d.claims = g.claims and d.lease_node = $1
      returning d.id, d.claims, d.event_seq, d.handler, g.reason, d.priority, d.attempts + g.attempts as attempts, d.crashes,
        d.ordering_key, nullif(concat_ws(E'\\n', d.errors, g.failure), '') as errors
    ),
    buried as (
      insert into ${t.dead_letter} (id, event_seq, handler, reason, priority, attempts, crashes, claims, ordering_key, blocking, errors, dead_at)
      select id, event_seq, handler, reason, priority, attempts, crashes, claims, ordering_key, ${isBlocking(t, 'dead')}, errors, $2
      from dead
    ),
    back as (
      update ${t.delivery} d
      set lease_node = null, available_at = g.available_at, rate_slot = g.rate_slot, attempts = d.attempts + g.attempts,
        errors = nullif(concat_ws(E'\\n', d.errors, g.failure), '')
      from given g
      where g.fate = 'back' and d.id = g.id and d.claims = g.claims and d.lease_node = $1
      returning d.id, d.claims, d.handler, d.ordering_key
    )${keyed ? keys : ''}
    select ${columns} from finished union all select ${columns} from dead union all select ${columns} from back`;
}
