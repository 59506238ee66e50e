import type { HeldLease } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { query, type Verb } from '../verb.js';

/** By a scan: an index on `lease_node` would cost every claim and settle, and this is asked after a failure only. */
export function heldLeases(d: Dialect) {
  const held = d.sql(
    `select id, claims, handler, event_seq as seq, rate_slot as rateslot from ${d.tables.delivery} where lease_node = ?`,
  );

  return function* (node: number): Verb<HeldLease[]> {
    const rows = yield* query<Omit<HeldLease, 'rateSlot'> & { rateslot: number | null }>(held, [node]);
    return rows.map(({ rateslot: rateSlot, ...rest }) => ({ ...rest, rateSlot }));
  };
}
