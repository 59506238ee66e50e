import type { Dialect } from '../dialect.js';
import { BEGIN, execute, query, type Verb } from '../verb.js';
import { endLeases } from './end-leases.js';
import { watchRegistry } from './load-registry.js';

/**
 * The node's row goes first: a claim holds it locked while it leases, so whatever the node has leased is visible to the
 * statements after it, and nothing can be leased any more.
 */
export function removeNode(d: Dialect) {
  const { node: nodes, subscription } = d.tables;
  const isMysql = d.type === 'mysql';
  const [take, taken] = isMysql ? [`select label from`, 'for update'] : ['delete from', 'returning label'];
  const leave = d.sql(`${take} ${nodes} where id = ? ${taken}`);
  const leaveAt = d.sql(`${take} ${nodes} where id = ? and beat = ? ${taken}`);
  const remove = `delete from ${nodes} where id = ?`;
  const free = endLeases(d);
  const hasOthers = (handler: string) => `exists (
    select 1 from ${subscription} other join ${nodes} n on n.id = other.node where other.handler = ${handler})`;
  // MySQL does not let a delete look into its own table, except through one of its own making.
  const unsubscribe = isMysql
    ? `delete s from ${subscription} s
       join (select distinct mine.handler from ${subscription} mine where mine.node = ? and ${hasOthers('mine.handler')}) h
         on h.handler = s.handler where s.node = ?`
    : d.sql(`delete from ${subscription} where node = ? and ${hasOthers(`${subscription}.handler`)}`);
  const registryChanges = watchRegistry(d);

  return function* (node: number, now: number, beat?: number): Verb<boolean> {
    yield BEGIN;
    return yield* registryChanges(function* () {
      const [gone] = yield* query<{ label: string }>(
        beat === undefined ? leave : leaveAt,
        beat === undefined ? [node] : [node, beat],
      );
      if (!gone) return false;
      if (isMysql) yield* execute(remove, [node]);
      yield* free(node, gone.label, now);
      yield* execute(unsubscribe, isMysql ? [node, node] : [node]);
      return true;
    });
  };
}
