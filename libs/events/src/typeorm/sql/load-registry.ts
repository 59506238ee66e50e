import type { RegisteredHandler, RegistrySnapshot } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { execute, query, type Verb } from '../verb.js';

interface Row {
  version: number;
  name: string | null;
  priority: number;
  ordered: boolean | number;
  paused: boolean | number;
  pattern: string | null;
}

/** One statement, so that handlers and version belong together. */
export function loadRegistry(d: Dialect) {
  const { registry, handler, subscription } = d.tables;
  const load = d.sql(`select r.version, h.name, h.priority, h.ordered, h.paused, s.pattern
    from ${registry} r
    left join ${handler} h on h.retired_at is null
    left join (select distinct handler, pattern from ${subscription}) s on s.handler = h.name
    where r.id = 1
    order by h.name, s.pattern`);

  return function* (): Verb<RegistrySnapshot> {
    const handlers = new Map<string, RegisteredHandler & { patterns: string[] }>();
    const rows = yield* query<Row>(load);
    for (const { name, priority, ordered, paused, pattern } of rows) {
      if (name === null) continue;
      let entry = handlers.get(name);
      if (!entry) {
        entry = { name, priority, ordered: Boolean(ordered), paused: Boolean(paused), patterns: [] };
        handlers.set(name, entry);
      }
      if (pattern !== null) entry.patterns.push(pattern);
    }
    return { version: rows[0]?.version ?? 0, handlers: [...handlers.values()] };
  };
}

/**
 * Runs part of a verb as the only one that changes the registry, and raises its version if fan-out would differ
 * afterwards.
 */
export function watchRegistry(d: Dialect) {
  const lock = d.sql(`select version from ${d.tables.registry} where id = 1 ${d.forUpdate}`);
  const raise = d.sql(`update ${d.tables.registry} set version = version + 1 where id = 1`);
  const load = loadRegistry(d);

  return function* <R>(change: () => Verb<R>): Verb<R> {
    yield* query(lock);
    const before = fanOutOf(yield* load());
    const result = yield* change();
    if (fanOutOf(yield* load()) !== before) yield* execute(raise);
    return result;
  };
}

/** All that fan-out depends on. */
function fanOutOf({ handlers }: RegistrySnapshot): string {
  return JSON.stringify(handlers.map(({ name, priority, ordered, patterns }) => [name, priority, ordered, patterns]));
}
