import type { StageResult } from '../../store/delivery.store.js';
import type { Tables } from '../tables.js';
import { query, type Verb } from '../verb.js';

/** One statement. What another node is staging at this moment is passed over, and may show up as the next due time. */
export function stagePostgres(t: Tables) {
  const stage = `
    with due as materialized (
      select id from ${t.delivery} where available_at <= $1 order by available_at limit $2 for update skip locked
    ),
    staged as (
      update ${t.delivery} set due_at = available_at, available_at = null
      where id = any(array(select id from due)) returning id
    )
    select (select count(*) from staged) as staged,
      (select available_at from ${t.delivery} where available_at is not null and id not in (select id from due)
        order by available_at limit 1) as "nextDueAt"`;

  return function* (now: number, limit: number): Verb<StageResult> {
    const [row] = yield* query<StageResult>(stage, [now, limit], 'events:stage');
    return row;
  };
}
