import type { Dialect } from '../dialect.js';
import { BEGIN, query, type Verb } from '../verb.js';
import { watchRegistry } from './load-registry.js';
import { endHandler } from './retire.js';

/** Looks first, without a transaction; then again, when nobody can announce a handler meanwhile. */
export function retireAbsent(d: Dialect) {
  const { handler, subscription, node } = d.tables;
  const find = d.sql(`select name from ${handler} h where retired_at is null and last_seen < ?
    and not exists (select 1 from ${subscription} s join ${node} n on n.id = s.node where s.handler = h.name)
    order by name`);
  const end = endHandler(d);
  const registryChanges = watchRegistry(d);

  return function* (lastSeenBefore: number, now: number): Verb<string[]> {
    if ((yield* query(find, [lastSeenBefore])).length === 0) return [];
    yield BEGIN;
    return yield* registryChanges(function* () {
      const names = (yield* query<{ name: string }>(find, [lastSeenBefore])).map(({ name }) => name);
      for (const name of names) yield* end(name, now);
      return names;
    });
  };
}
