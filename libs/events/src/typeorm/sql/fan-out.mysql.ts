import type { FanOutRequest, FanOutResult } from '../../store/inbox.store.js';
import type { Tables } from '../tables.js';
import { BEGIN, execute, query, type Verb } from '../verb.js';
import { deliverMysql } from './append.mysql.js';
import { lookForRaw, planFanOut, type RawRow } from './plan-fan-out.js';

/**
 * The version is read after the events are locked: an event that was stored after a handler's registration committed
 * can only be fanned out by a version that has the handler.
 */
export function fanOutMysql(t: Tables) {
  const look = lookForRaw(t, 'force index (raw)');
  const take = `select seq, type, ordering_key, priority, available_at, received_at from ${t.inbox} force index (raw)
    where fanned_out_at is null order by seq limit ? for update skip locked`;
  const registry = `select version from ${t.registry} where id = 1`;
  const deliver = deliverMysql(t);
  const mark = `update ${t.inbox} set fanned_out_at = ? where seq in (?)`;

  return function* (request: FanOutRequest): Verb<FanOutResult> {
    const idle = yield* look(request);
    if (idle) return idle;
    yield BEGIN;
    const rows = yield* query<RawRow>(take, [request.limit]);
    const [current] = yield* query<{ version: number }>(registry);
    const { deliveries, result } = planFanOut(rows, request, current?.version);
    if (deliveries.length > 0) {
      yield* execute(deliver, [
        deliveries.map((to) => [to.seq, to.handler, to.priority, to.availableAt, to.dueAt, to.orderingKey]),
      ]);
    }
    if (result.events > 0) yield* execute(mark, [request.now, rows.map((row) => row.seq)]);
    return result;
  };
}
