import type { StageResult } from '../../store/delivery.store.js';
import type { Tables } from '../tables.js';
import { BEGIN, execute, query, type Verb } from '../verb.js';

/** Looks first, without a transaction: while nothing is due, nobody is kept from writing and nobody is waited for. */
export function stageSqlite(t: Tables) {
  const next = `select min(available_at) as due from ${t.delivery} where available_at is not null`;
  const stage = `update ${t.delivery} set due_at = available_at, available_at = null where id in
    (select id from ${t.delivery} where available_at <= ? order by available_at limit ?)`;

  function* first(): Verb<number | null> {
    return (yield* query<{ due: number | null }>(next))[0]?.due ?? null;
  }

  return function* (now: number, limit: number): Verb<StageResult> {
    const due = yield* first();
    if (due === null || due > now) return { staged: 0, nextDueAt: due };
    yield BEGIN;
    const staged = yield* execute(stage, [now, limit]);
    return { staged, nextDueAt: yield* first() };
  };
}
