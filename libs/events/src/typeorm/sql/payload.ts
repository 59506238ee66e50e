import type { Dialect } from '../dialect.js';
import { query, type Verb } from '../verb.js';

export function payload(d: Dialect) {
  const read = d.sql(`select payload from ${d.tables.inbox} where seq = ?`);

  return function* (seq: number): Verb<string | null> {
    const [row] = yield* query<{ payload: string }>(read, [seq]);
    return row?.payload ?? null;
  };
}
