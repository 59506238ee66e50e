import type { Dialect } from '../dialect.js';
import { query, type Verb } from '../verb.js';

/** An embedded database has no clock of its own. */
export function ping(d: Dialect) {
  const ask = {
    postgres: 'select (extract(epoch from clock_timestamp()) * 1000)::bigint as now',
    mysql: 'select floor(unix_timestamp(sysdate(3)) * 1000) as now',
    'better-sqlite3': 'select 1',
  }[d.type];

  return function* (): Verb<number> {
    const [row] = yield* query<{ now?: number }>(ask);
    return row?.now ?? Date.now();
  };
}
