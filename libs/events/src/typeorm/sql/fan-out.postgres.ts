import type { FanOutRequest, FanOutResult } from '../../store/inbox.store.js';
import type { Tables } from '../tables.js';
import { BEGIN, execute, query, type Verb } from '../verb.js';
import { lookForRaw, planFanOut, type RawRow } from './plan-fan-out.js';

/**
 * The version is read after the events are locked: an event that was stored after a handler's registration committed
 * can only be fanned out by a version that has the handler.
 */
export function fanOutPostgres(t: Tables) {
  const look = lookForRaw(t);
  const take = `select seq, type, ordering_key, priority, available_at, received_at from ${t.inbox}
    where fanned_out_at is null order by seq limit $1 for update skip locked`;
  const registry = `select version from ${t.registry} where id = 1`;
  const deliver = `insert into ${t.delivery} (event_seq, handler, priority, available_at, due_at, ordering_key)
    select seq, handler, priority, available_at, due_at, ordering_key
    from unnest($1::bigint[], $2::text[], $3::smallint[], $4::bigint[], $5::bigint[], $6::text[]) with ordinality
      d (seq, handler, priority, available_at, due_at, ordering_key, n)
    order by n`;
  const mark = `update ${t.inbox} set fanned_out_at = $1 where seq = any($2::bigint[])`;

  return function* (request: FanOutRequest): Verb<FanOutResult> {
    const idle = yield* look(request);
    if (idle) return idle;
    yield BEGIN;
    const rows = yield* query<RawRow>(take, [request.limit]);
    const [current] = yield* query<{ version: number }>(registry);
    const plan = planFanOut(rows, request, current?.version);
    if (plan.deliveries.length > 0) {
      yield* execute(deliver, [
        plan.deliveries.map((delivery) => delivery.seq),
        plan.deliveries.map((delivery) => delivery.handler),
        plan.deliveries.map((delivery) => delivery.priority),
        plan.deliveries.map((delivery) => delivery.availableAt),
        plan.deliveries.map((delivery) => delivery.dueAt),
        plan.deliveries.map((delivery) => delivery.orderingKey),
      ]);
    }
    if (plan.result.events > 0) yield* execute(mark, [request.now, rows.map((row) => row.seq)]);
    return plan.result;
  };
}
