import type { NodeRegistration } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, query, type Verb } from '../verb.js';

export function registerNode(d: Dialect) {
  const enter = d.sql(`insert into ${d.tables.node} (label, host, pid, started_at) values (?, ?, ?, ?)`);

  return function* ({ label, host, pid }: NodeRegistration, now: number): Verb<number> {
    yield BEGIN;
    const params = [label, host, pid, now];
    if (d.type === 'mysql') return (yield { sql: enter, params }).rowIds[0];
    const [row] = yield* query<{ id: number }>(`${enter} returning id`, params);
    return row.id;
  };
}
