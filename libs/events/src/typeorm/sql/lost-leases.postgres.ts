import type { Lease } from '../../store/records.js';
import type { Tables } from '../tables.js';
import { query, type Verb } from '../verb.js';

export function lostLeasesPostgres(t: Tables) {
  const lost = `select l.id from unnest($2::bigint[], $3::int[]) l (id, claims)
    where not exists (select from ${t.delivery} d where d.id = l.id and d.claims = l.claims and d.lease_node = $1)`;

  return function* (node: number, leases: readonly Lease[]): Verb<number[]> {
    const rows = yield* query<Lease>(lost, [
      node,
      leases.map((lease) => lease.id),
      leases.map((lease) => lease.claims),
    ]);
    return rows.map((row) => row.id);
  };
}
