import type { DeadLetterQuery } from '../../store/dead-letter.store.js';
import type { Dialect } from '../dialect.js';
import { query, select, type Verb } from '../verb.js';
import { deadLetters } from './dead-letters.js';

/** A dead letter that has just been taken out. */
export interface TakenLetter {
  id: number;
  event_seq: number;
  handler: string;
  priority: number;
  claims: number;
  ordering_key: string | null;
  errors: string | null;
}

/** Part of a verb: deletes dead letters, oldest id first, and answers them. Of two callers at once each gets others. */
export function takeDeadLetters(d: Dialect) {
  const taken = 'returning id, event_seq, handler, priority, claims, ordering_key, errors';
  const take =
    d.type === 'postgres'
      ? `delete from ${d.tables.dead_letter} where id = any($1) ${taken}`
      : `delete from ${d.tables.dead_letter} where id in (select value from json_each(?)) ${taken}`;

  return function* (filter: DeadLetterQuery, limit: number): Verb<TakenLetter[]> {
    const builder = deadLetters(d, filter).orderBy('d.id').limit(limit);
    if (d.type === 'postgres') builder.setLock('pessimistic_write', undefined, ['d']).setOnLocked('skip_locked');
    const ids = (yield* select<{ id: number }>(builder, { id: 'd.id' })).map((row) => row.id);
    if (ids.length === 0) return [];
    return (yield* query<TakenLetter>(take, [d.list(ids)])).toSorted((a, b) => a.id - b.id);
  };
}
