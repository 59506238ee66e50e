import type { Lease } from '../../store/records.js';
import type { Tables } from '../tables.js';
import { query, type Verb } from '../verb.js';

export function lostLeasesSqlite(t: Tables) {
  const lost = `select l.value ->> 0 as id from json_each(?) l
    where not exists (select 1 from ${t.delivery} d where d.id = l.value ->> 0 and d.claims = l.value ->> 1 and d.lease_node = ?)`;

  return function* (node: number, leases: readonly Lease[]): Verb<number[]> {
    const rows = yield* query<Lease>(lost, [JSON.stringify(leases.map(({ id, claims }) => [id, claims])), node]);
    return rows.map((row) => row.id);
  };
}
