import type { DeadLetterQuery } from '../../store/dead-letter.store.js';
import type { Dialect } from '../dialect.js';
import { execute, query, select, type Verb } from '../verb.js';
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
  const columns = 'id, event_seq, handler, priority, claims, ordering_key, errors';
  const read = `select ${columns} from ${d.tables.dead_letter} where id in (?)`;
  const remove = d.sql(`delete from ${d.tables.dead_letter} where ${d.oneOf('id')}`);
  const take = `${remove} returning ${columns}`;

  return function* (filter: DeadLetterQuery, limit: number): Verb<TakenLetter[]> {
    const builder = deadLetters(d, filter).orderBy('d.id').limit(limit);
    // MySQL locks the events too: MariaDB has no OF.
    if (d.type !== 'better-sqlite3') {
      builder
        .setLock('pessimistic_write', undefined, d.type === 'postgres' ? ['d'] : undefined)
        .setOnLocked('skip_locked');
    }
    const ids = (yield* select<{ id: number }>(builder, { id: 'd.id' })).map((row) => row.id);
    if (ids.length === 0) return [];
    const letters = yield* query<TakenLetter>(d.type === 'mysql' ? read : take, [d.list(ids)]);
    if (d.type === 'mysql') yield* execute(remove, [ids]);
    return letters.toSorted((a, b) => a.id - b.id);
  };
}
