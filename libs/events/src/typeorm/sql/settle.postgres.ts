import type { Settlement } from '../../store/records.js';
import type { Tables } from '../tables.js';
import { query, type Verb } from '../verb.js';
import { fateOf, leaseKey, toRow } from './settlements.js';

/**
 * One statement, whatever the outcomes: each row is fenced by its lease, and one that leaves the live table is deleted
 * and inserted elsewhere in the same breath. A row that a rescue is changing is waited for, and then does not match.
 */
export function settlePostgres(t: Tables) {
  const settle = `
    with given as materialized (
      select * from unnest($3::text[], $4::bigint[], $5::int[], $6::text[], $7::int[], $8::bigint[], $9::bigint[], $10::text[], $11::text[])
        g (fate, id, claims, outcome, attempts, duration_ms, available_at, reason, failure)
    ),
    finished as (
      delete from ${t.delivery} d using given g
      where g.fate = 'finished' and d.id = g.id and d.claims = g.claims and d.lease_node = $1
      returning d.id, d.claims, d.event_seq, d.handler, g.outcome, g.attempts, g.duration_ms, d.errors
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
      insert into ${t.dead_letter} (id, event_seq, handler, reason, priority, attempts, crashes, claims, ordering_key, errors, dead_at)
      select id, event_seq, handler, reason, priority, attempts, crashes, claims, ordering_key, errors, $2 from dead
    ),
    back as (
      update ${t.delivery} d
      set lease_node = null, available_at = g.available_at, attempts = d.attempts + g.attempts,
        errors = nullif(concat_ws(E'\\n', d.errors, g.failure), '')
      from given g
      where g.fate = 'back' and d.id = g.id and d.claims = g.claims and d.lease_node = $1
      returning d.id, d.claims
    )
    select id, claims from finished union all select id, claims from dead union all select id, claims from back`;

  return function* (node: number, settlements: readonly Settlement[], now: number): Verb<boolean[]> {
    const rows = [...new Map(settlements.toReversed().map((one) => [leaseKey(one), toRow(one)])).values()];
    const written = yield* query<{ id: number; claims: number }>(
      settle,
      [
        node,
        now,
        rows.map((row) => fateOf(row.outcome)),
        rows.map((row) => row.id),
        rows.map((row) => row.claims),
        rows.map((row) => row.outcome),
        rows.map((row) => row.attempts),
        rows.map((row) => row.durationMs),
        rows.map((row) => row.availableAt),
        rows.map((row) => row.reason),
        rows.map((row) => row.failure),
      ],
      'events:settle',
    );
    const leases = new Set(written.map(leaseKey));
    return settlements.map((settlement) => leases.delete(leaseKey(settlement)));
  };
}
