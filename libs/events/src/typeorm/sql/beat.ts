import type { Dialect } from '../dialect.js';
import { BEGIN, execute, type Verb } from '../verb.js';

export function beat(d: Dialect) {
  const raise = d.sql(`update ${d.tables.node} set beat = beat + 1 where id = ?`);

  return function* (node: number): Verb<boolean> {
    yield BEGIN;
    return (yield* execute(raise, [node])) === 1;
  };
}
