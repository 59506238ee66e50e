import type { Dialect } from '../dialect.js';
import { BEGIN, query, type Verb } from '../verb.js';
import { endLeases } from './end-leases.js';

/** A lease without a node's row cannot come to be (claims lock the row), except by hand or by a restored backup. */
export function rescueOrphans(d: Dialect) {
  const { delivery, node } = d.tables;
  const find = d.sql(`select lease_node as node from ${delivery} where lease_node is not null
    and not exists (select 1 from ${node} n where n.id = lease_node) group by lease_node`);
  const free = endLeases(d);

  return function* (now: number): Verb<number> {
    const gone = yield* query<{ node: number }>(find);
    if (gone.length === 0) return 0;
    yield BEGIN;
    let freed = 0;
    for (const { node } of gone) freed += yield* free(node, `node ${node}`, now);
    return freed;
  };
}
