import type { PruneRequest } from '../../store/event-store.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, execute, type Verb } from '../verb.js';

/** In this order, so that events whose last trace has just gone can go at once. */
export function prune(d: Dialect) {
  const { delivery, completion, dead_letter: deadLetter, inbox } = d.tables;
  const unreferenced = [delivery, completion, deadLetter]
    .map((table) => `not exists (select 1 from ${table} r where r.event_seq = i.seq)`)
    .join(' and ');
  const history = d.sql(`delete from ${completion} where (event_seq, id) in
    (select event_seq, id from ${completion} where finished_at < ? order by finished_at limit ?)`);
  const letters = d.sql(`delete from ${deadLetter} where id in
    (select id from ${deadLetter} where dead_at < ? order by dead_at limit ?)`);
  const events = d.sql(`delete from ${inbox} where seq in
    (select seq from ${inbox} i where received_at < ? and fanned_out_at is not null and ${unreferenced} order by received_at limit ?)`);

  return function* ({ completedBefore, deadBefore, limit }: PruneRequest): Verb<number> {
    yield BEGIN;
    return (
      (yield* execute(history, [completedBefore, limit])) +
      (yield* execute(letters, [deadBefore, limit])) +
      (yield* execute(events, [completedBefore, limit]))
    );
  };
}
