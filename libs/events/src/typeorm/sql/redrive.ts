import type { DeadLetterQuery, RedrivePace } from '../../store/dead-letter.store.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, execute, type Verb } from '../verb.js';
import { givenRows } from './given-rows.js';
import { dueAt } from './rows.js';
import { takeDeadLetters, type TakenLetter } from './take-dead-letters.js';

interface RevivedLetter extends TakenLetter {
  available_at: number | null;
  due_at: number | null;
}

/** Attempts and crashes start again; `claims` goes on, or an old lease could fit the new life of the delivery. */
export function redrive(d: Dialect) {
  const take = takeDeadLetters(d);
  const letters = givenRows(d, {
    id: 'bigint',
    event_seq: 'bigint',
    handler: 'text',
    priority: 'smallint',
    available_at: 'bigint',
    due_at: 'bigint',
    claims: 'int',
    ordering_key: 'text',
    errors: 'text',
  });
  const columns = 'id, event_seq, handler, priority, available_at, due_at, claims, ordering_key, errors';
  const into = `insert into ${d.tables.delivery} (${columns})`;
  const revive = d.sql(`${into} select ${columns} from ${letters.table}`);

  return function* (filter: DeadLetterQuery, limit: number, now: number, pace?: RedrivePace): Verb<number[]> {
    yield BEGIN;
    const taken = yield* take(filter, limit);
    if (taken.length === 0) return [];
    const due = (index: number) => (pace ? dueAt(Math.ceil(pace.startAt + index * pace.everyMs), now) : null);
    const revived = taken.map((letter, index): RevivedLetter => {
      const availableAt = due(index);
      return { ...letter, available_at: availableAt, due_at: availableAt === null ? now : null };
    });
    if (d.type === 'mysql') yield* execute(`${into} values ?`, [revived.map(valuesOf)]);
    else yield* execute(revive, letters.params(revived));
    return taken.map((letter) => letter.id);
  };
}

function valuesOf(row: RevivedLetter) {
  const { id, event_seq, handler, priority, available_at, due_at, claims, ordering_key, errors } = row;
  return [id, event_seq, handler, priority, available_at, due_at, claims, ordering_key, errors];
}
