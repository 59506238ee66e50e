import type { Dialect } from '../dialect.js';
import { BEGIN, execute, type Verb } from '../verb.js';

export function touchHandlers(d: Dialect) {
  const { handler, subscription, node } = d.tables;
  const touch = d.sql(`update ${handler} set last_seen = ? where last_seen < ?
    and name in (select s.handler from ${subscription} s join ${node} n on n.id = s.node)`);

  return function* (now: number): Verb<void> {
    yield BEGIN;
    yield* execute(touch, [now, now]);
  };
}
