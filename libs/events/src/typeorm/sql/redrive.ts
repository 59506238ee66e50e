import type { DeadLetterQuery } from '../../store/dead-letter.store.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, execute, type Verb } from '../verb.js';
import { takeDeadLetters } from './take-dead-letters.js';

const COLUMNS = 'id, event_seq, handler, priority, claims, ordering_key, errors';

/** Attempts and crashes start again; `claims` goes on, or an old lease could fit the new life of the delivery. */
export function redrive(d: Dialect) {
  const take = takeDeadLetters(d);
  const revive =
    d.type === 'postgres'
      ? `insert into ${d.tables.delivery} (${COLUMNS})
         select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::smallint[], $5::int[], $6::text[], $7::text[])`
      : `insert into ${d.tables.delivery} (${COLUMNS})
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 from json_each(?)`;

  return function* (filter: DeadLetterQuery, limit: number, _now: number): Verb<number[]> {
    yield BEGIN;
    const letters = yield* take(filter, limit);
    if (letters.length === 0) return [];
    const columns = [
      letters.map((letter) => letter.id),
      letters.map((letter) => letter.event_seq),
      letters.map((letter) => letter.handler),
      letters.map((letter) => letter.priority),
      letters.map((letter) => letter.claims),
      letters.map((letter) => letter.ordering_key),
      letters.map((letter) => letter.errors),
    ];
    const rows = () => JSON.stringify(letters.map((_, index) => columns.map((column) => column[index])));
    yield* execute(revive, d.type === 'postgres' ? columns : [rows()]);
    return columns[0] as number[];
  };
}
