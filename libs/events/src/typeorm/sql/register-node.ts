import type { NodeRegistration } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, query, type Verb } from '../verb.js';

export function registerNode(d: Dialect) {
  const enter = d.sql(`insert into ${d.tables.node} (label, host, pid, started_at) values (?, ?, ?, ?) returning id`);

  return function* ({ label, host, pid }: NodeRegistration, now: number): Verb<number> {
    yield BEGIN;
    const [row] = yield* query<{ id: number }>(enter, [label, host, pid, now]);
    return row.id;
  };
}
