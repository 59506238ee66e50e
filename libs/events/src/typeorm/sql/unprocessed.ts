import type { Unprocessed } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { query, type Verb } from '../verb.js';

/** By the index of raw events, of which alone the oldest is looked up: there may be many, and they are looked for often. */
export function unprocessed(d: Dialect) {
  const raw = `from ${d.tables.inbox} where fanned_out_at is null`;
  const count = `
    select count(*) as count, (select received_at ${raw} order by seq limit 1) as "oldestReceivedAt" ${raw}`;

  return function* (): Verb<Unprocessed> {
    const [row] = yield* query<Unprocessed>(count);
    return { count: row?.count ?? 0, oldestReceivedAt: row?.oldestReceivedAt ?? null };
  };
}
