import type { StageResult } from '../../store/delivery.store.js';
import type { Tables } from '../tables.js';
import { BEGIN, execute, query, type Verb } from '../verb.js';

/**
 * Looks first, without a transaction. What another node is staging at this moment is passed over, and may show up as the
 * next due time.
 */
export function stageMysql(t: Tables) {
  const next = `select min(available_at) as due from ${t.delivery} where available_at is not null`;
  const due = `select id from ${t.delivery} force index (due)
    where available_at <= ? order by available_at, id limit ? for update skip locked`;
  // Left to right: `available_at` must be read before it is gone.
  const stage = `update ${t.delivery} set due_at = available_at, available_at = null where id in (?)`;

  function* first(): Verb<number | null> {
    return (yield* query<{ due: number | null }>(next))[0]?.due ?? null;
  }

  return function* (now: number, limit: number): Verb<StageResult> {
    const nextDueAt = yield* first();
    if (nextDueAt === null || nextDueAt > now) return { staged: 0, nextDueAt };
    yield BEGIN;
    const ids = (yield* query<{ id: number }>(due, [now, limit])).map(({ id }) => id);
    if (ids.length > 0) yield* execute(stage, [ids]);
    return { staged: ids.length, nextDueAt: yield* first() };
  };
}
