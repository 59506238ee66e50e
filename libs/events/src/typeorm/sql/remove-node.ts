import type { Dialect } from '../dialect.js';
import { BEGIN, execute, query, type Verb } from '../verb.js';
import { endLeases, leaseFailure } from './end-leases.js';
import { watchRegistry } from './load-registry.js';

/**
 * The node's row goes first: a claim holds it locked while it leases, so whatever the node has leased is visible to the
 * statements after it, and nothing can be leased any more.
 */
export function removeNode(d: Dialect) {
  const { node: nodes, subscription } = d.tables;
  const leave = d.sql(`delete from ${nodes} where id = ? returning label`);
  const leaveAt = d.sql(`delete from ${nodes} where id = ? and beat = ? returning label`);
  const free = d.sql(`${endLeases(d)} where lease_node = ?`);
  const unsubscribe = d.sql(`delete from ${subscription} where node = ? and exists (
    select 1 from ${subscription} other join ${nodes} n on n.id = other.node where other.handler = ${subscription}.handler)`);
  const registryChanges = watchRegistry(d);

  return function* (node: number, now: number, beat?: number): Verb<boolean> {
    yield BEGIN;
    return yield* registryChanges(function* () {
      const [gone] = yield* query<{ label: string }>(
        beat === undefined ? leave : leaveAt,
        beat === undefined ? [node] : [node, beat],
      );
      if (!gone) return false;
      yield* execute(free, [...leaseFailure(gone.label, now), node]);
      yield* execute(unsubscribe, [node]);
      return true;
    });
  };
}
