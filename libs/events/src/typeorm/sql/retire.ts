import type { Dialect } from '../dialect.js';
import { BEGIN, execute, type Verb } from '../verb.js';
import { watchRegistry } from './load-registry.js';

export function retire(d: Dialect) {
  const end = endHandler(d);
  const registryChanges = watchRegistry(d);

  return function* (handler: string, now: number): Verb<boolean> {
    yield BEGIN;
    return yield* registryChanges(() => end(handler, now));
  };
}

/** Part of a verb that changes the registry: retires a handler. False = there is none, or it is retired already. */
export function endHandler(d: Dialect) {
  const mark = d.sql(`update ${d.tables.handler} set retired_at = ? where name = ? and retired_at is null`);
  const unsubscribe = d.sql(`delete from ${d.tables.subscription} where handler = ?`);

  return function* (handler: string, now: number): Verb<boolean> {
    if ((yield* execute(mark, [now, handler])) === 0) return false;
    yield* execute(unsubscribe, [handler]);
    return true;
  };
}
