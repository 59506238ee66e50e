import type { HandlerBacklog } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { query, type Verb } from '../verb.js';

/** One statement, one pass over the live table. The oldest pending event is the one that was stored first. */
export function backlog(d: Dialect) {
  const { delivery, dead_letter: deadLetter, inbox } = d.tables;
  const count = d.sql(`
    select b.handler, b.pending, b.scheduled, b.processing, b.dead, i.received_at as "oldestPendingAt"
    from (
      select handler, cast(sum(pending) as ${d.bigint}) as pending, cast(sum(scheduled) as ${d.bigint}) as scheduled,
        cast(sum(processing) as ${d.bigint}) as processing, cast(sum(dead) as ${d.bigint}) as dead, min(oldest) as oldest
      from (
        select handler, count(case when available_at is null and lease_node is null then 1 end) as pending,
          count(available_at) as scheduled, count(lease_node) as processing, 0 as dead,
          min(case when available_at is null and lease_node is null then event_seq end) as oldest
        from ${delivery} group by handler
        union all
        select handler, 0, 0, 0, count(*), null from ${deadLetter} group by handler
      ) counts
      group by handler
    ) b left join ${inbox} i on i.seq = b.oldest
    order by b.handler`);

  return function* (): Verb<HandlerBacklog[]> {
    return yield* query<HandlerBacklog>(count);
  };
}
