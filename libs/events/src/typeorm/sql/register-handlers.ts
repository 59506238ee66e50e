import type { HandlerRegistration } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, execute, type Verb } from '../verb.js';
import { adoptHandler } from './adopt-handler.js';
import { freeLanes } from './free-lanes.js';
import { watchRegistry } from './load-registry.js';

export function registerHandlers(d: Dialect) {
  const { handler: handlers, node: nodes, subscription } = d.tables;
  const enter = d.sql(`insert into ${handlers} (name, priority, ordered, on_dead_letter, first_seen, last_seen)
    values (?, ?, ?, ?, ?, ?) ${
      d.type === 'mysql'
        ? `on duplicate key update priority = values(priority), ordered = values(ordered),
            on_dead_letter = values(on_dead_letter), last_seen = values(last_seen), retired_at = null`
        : `on conflict (name) do update set priority = excluded.priority, ordered = excluded.ordered,
            on_dead_letter = excluded.on_dead_letter, last_seen = excluded.last_seen, retired_at = null`
    }`);
  const unsubscribe = d.sql(`delete from ${subscription} where node = ?`);
  const unsubscribeGone = d.sql(`delete from ${subscription} where handler = ?
    and not exists (select 1 from ${nodes} n where n.id = ${subscription}.node)`);
  const subscribe = d.sql(
    `insert into ${subscription} (handler, pattern, node) values (?, ?, ?) ${
      d.type === 'mysql' ? `on duplicate key update node = ${subscription}.node` : 'on conflict do nothing'
    }`,
  );
  const adopt = adoptHandler(d);
  const free = freeLanes(d);
  const registryChanges = watchRegistry(d);

  return function* (node: number, registrations: readonly HandlerRegistration[], now: number): Verb<void> {
    const announced = new Set(registrations.map(({ name }) => name));
    yield BEGIN;
    yield* registryChanges(function* () {
      yield* execute(unsubscribe, [node]);
      for (const { name, priority, ordered, onDeadLetter, patterns } of registrations) {
        yield* execute(enter, [name, priority, ordered, onDeadLetter, now, now]);
        yield* execute(unsubscribeGone, [name]);
        for (const pattern of patterns) yield* execute(subscribe, [name, pattern, node]);
      }
      for (const { name, aliases = [] } of registrations) {
        for (const alias of aliases) if (!announced.has(alias)) yield* adopt(name, alias, now);
      }
      for (const registration of registrations) yield* free(registration);
    });
  };
}
