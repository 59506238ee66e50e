import type { Buffer } from 'node:buffer';
import type { Settlement } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { numberArray, textArray } from '../postgres/array-parameter.js';
import type { Tables } from '../tables.js';
import { BEGIN, query, type SqliteVerb } from '../verb.js';
import { deadLetterNotices } from './dead-letter-notices.js';
import { isBlocking, wakeLanes } from './lanes.js';
import { type HandlerKey, inLockOrder } from './handler-keys.js';
import { fateOf, keyStateOf, leaseKey, outcomesOf, type SettlementRow, toRow } from './settlements.js';

/** What a batch asks for beyond ends that are no failure. Most ask for nothing, so each has a text of its own. */
interface Needs {
  /** Some deliveries have idempotency keys. */
  readonly keys: boolean;
  /** Some are in lanes, which the statement then answers. */
  readonly lanes: boolean;
  /** Some go back, or are dead. */
  readonly failures: boolean;
}

/** What is known of the deliveries, as an array each. */
interface Column {
  readonly name: string;
  readonly type: 'text' | 'int' | 'bigint';
  readonly of: (rows: readonly SettlementRow[]) => Buffer;
}

function text(name: string, of: (row: SettlementRow) => string | null): Column {
  return { name, type: 'text', of: (rows) => textArray(rows, of) };
}

function integer(type: 'int' | 'bigint', name: string, of: (row: SettlementRow) => number | null): Column {
  return { name, type, of: (rows) => numberArray(type, rows, of) };
}

const OF_ALL = [
  integer('bigint', 'id', (row) => row.id),
  integer('int', 'claims', (row) => row.claims),
  text('outcome', (row) => row.outcome),
  integer('int', 'attempts', (row) => row.attempts),
  integer('bigint', 'duration_ms', (row) => row.durationMs),
];
const OF_FAILURES = [
  integer('bigint', 'available_at', (row) => row.availableAt),
  integer('bigint', 'rate_slot', (row) => row.rateSlot),
  text('reason', (row) => row.reason),
  text('failure', (row) => row.failure),
];
const OF_KEYS = [
  text('key', (row) => row.key?.key ?? null),
  text('key_state', (row) => keyStateOf(row.outcome)),
  integer('bigint', 'expires_at', (row) => row.key?.expiresAt ?? null),
];

/**
 * One statement, whatever the outcomes: each row is fenced by its lease, and one that leaves the live table is deleted
 * and inserted elsewhere in the same breath. A row that a rescue is changing is waited for, and then does not match.
 */
export function settlePostgres(d: Dialect) {
  const statements = Array.from({ length: 8 }, (_, kind) =>
    statement(d.tables, { keys: (kind & 1) > 0, lanes: (kind & 2) > 0, failures: (kind & 4) > 0 }),
  );
  const publishNotices = deadLetterNotices(d);
  const wake = wakeLanes(d);

  return function* (node: number, settlements: readonly Settlement[], now: number): SqliteVerb<boolean[]> {
    const rows = [...new Map(settlements.toReversed().map((one) => [leaseKey(one), toRow(one)])).values()];
    const dead = new Set(rows.filter((row) => row.outcome === 'dead').map(leaseKey));
    const hasKeys = rows.some((row) => row.key);
    if (hasKeys) rows.sort((a, b) => inLockOrder(keyOf(a), keyOf(b)));
    const hasLanes = rows.some((row) => row.lane !== null);
    const hasFailures = rows.some((row) => fateOf(row.outcome) !== 'finished');
    if (dead.size > 0 || hasLanes) yield BEGIN;
    const kind = Number(hasKeys) + 2 * Number(hasLanes) + 4 * Number(hasFailures);
    const { sql, columns } = statements[kind];
    const params = [node, now, ...columns.map((column) => column.of(rows))];
    const written = yield* query<SettledRow>(sql, params, `events:settle-${kind}`);
    if (hasLanes) yield* wake(written);
    yield* publishNotices(
      written.filter((lease) => dead.has(leaseKey(lease))).map((lease) => lease.id),
      now,
    );
    if (written.length === settlements.length) return settlements.map(() => true);
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

function statement(t: Tables, needs: Needs): { readonly sql: string; readonly columns: readonly Column[] } {
  const columns = [...OF_ALL, ...(needs.failures ? OF_FAILURES : []), ...(needs.keys ? OF_KEYS : [])];
  const answer = needs.lanes ? 'id, claims, handler, ordering_key' : 'id, claims';
  const arrays = columns.map(({ name, type }, index) => `unnest($${index + 3}::${type}[]) as ${name}`);
  if (needs.keys) arrays.push('generate_series(1, cardinality($3::bigint[])) as ord');
  const parts = [
    `given as materialized (select ${arrays.join(', ')})`,
    finishing(t),
    ...(needs.failures ? [burying(t), givingBack(t)] : []),
    ...(needs.keys ? [remembering(t, needs)] : []),
  ];
  return { sql: `with ${parts.join(',')} ${settled(answer, needs)}`, columns };
}

/** Whatever has matched its lease. */
function settled(columns: string, { failures }: Needs): string {
  const parts = failures ? ['finished', 'dead', 'back'] : ['finished'];
  return parts.map((part) => `select ${columns} from ${part}`).join(' union all ');
}

/**
 * Where nothing else is asked for, every outcome is of this fate. The planner does not know, and expects few rows, and so
 * keeps one plan for all batches; else it makes one for each small batch, which takes longer than the rest.
 */
function finishing(t: Tables): string {
  return `
    finished as (
      delete from ${t.delivery} d using given g
      where g.outcome in (${outcomesOf('finished')}) and d.id = g.id and d.claims = g.claims and d.lease_node = $1
      returning d.id, d.claims, d.event_seq, d.handler, g.outcome, g.attempts, g.duration_ms, d.errors, d.ordering_key
    ),
    history as (
      insert into ${t.completion} (event_seq, id, handler, outcome, attempts, duration_ms, finished_at, errors)
      select event_seq, id, handler, outcome, attempts, duration_ms, $2, errors from finished
    )`;
}

function burying(t: Tables): string {
  return `
    dead as (
      delete from ${t.delivery} d using given g
      where g.outcome in (${outcomesOf('dead')}) and d.id = g.id and d.claims = g.claims and d.lease_node = $1
      returning d.id, d.claims, d.event_seq, d.handler, g.reason, d.priority, d.attempts + g.attempts as attempts, d.crashes,
        d.ordering_key, nullif(concat_ws(E'\\n', d.errors, g.failure), '') as errors
    ),
    buried as (
      insert into ${t.dead_letter} (id, event_seq, handler, reason, priority, attempts, crashes, claims, ordering_key, blocking, errors, dead_at)
      select id, event_seq, handler, reason, priority, attempts, crashes, claims, ordering_key, ${isBlocking(t, 'dead')}, errors, $2
      from dead
    )`;
}

function givingBack(t: Tables): string {
  return `
    back as (
      update ${t.delivery} d
      set lease_node = null, available_at = g.available_at, rate_slot = g.rate_slot, attempts = d.attempts + g.attempts,
        errors = nullif(concat_ws(E'\\n', d.errors, g.failure), '')
      from given g
      where g.outcome in (${outcomesOf('back')}) and d.id = g.id and d.claims = g.claims and d.lease_node = $1
      returning d.id, d.claims, d.handler, d.ordering_key
    )`;
}

/** By the handler of the row: another may have adopted the delivery, and its key, while it ran. */
function remembering(t: Tables, needs: Needs): string {
  return `
    held as materialized (
      select i.handler, i.key, g.key_state, g.expires_at
      from (${settled('id, claims, handler', needs)}) s
      join given g on g.id = s.id and g.claims = s.claims
      join ${t.idempotency} i on i.handler = s.handler and i.key = g.key and i.owner = s.id and i.state = 'processing'
      order by g.ord for update of i
    ),
    remembered as (
      update ${t.idempotency} i set state = h.key_state, expires_at = h.expires_at
      from held h where i.handler = h.handler and i.key = h.key
    )`;
}
