import type { Lease } from '../../store/records.js';
import type { Tables } from '../tables.js';
import { query, type Verb } from '../verb.js';
import { leaseKey } from './settlements.js';

export function lostLeasesMysql(t: Tables) {
  const find = `select id, claims from ${t.delivery} where id in (?) and lease_node = ?`;

  return function* (node: number, leases: readonly Lease[]): Verb<number[]> {
    if (leases.length === 0) return [];
    const held = new Set((yield* query<Lease>(find, [leases.map(({ id }) => id), node])).map(leaseKey));
    return leases.filter((lease) => !held.has(leaseKey(lease))).map(({ id }) => id);
  };
}
