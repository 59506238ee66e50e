import type { Dialect } from '../dialect.js';
import { BEGIN, execute, type Verb } from '../verb.js';

export function setPaused(d: Dialect) {
  const set = d.sql(`update ${d.tables.handler} set paused = ? where name = ?`);

  return function* (handler: string, paused: boolean): Verb<boolean> {
    yield BEGIN;
    return (yield* execute(set, [paused, handler])) === 1;
  };
}
