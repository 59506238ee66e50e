import type { FanOutRequest, FanOutResult } from '../../store/inbox.store.js';
import type { Tables } from '../tables.js';
import { BEGIN, each, execute, query, type SqliteVerb } from '../verb.js';
import { deliverSqlite } from './append.sqlite.js';
import { lookForRaw, planFanOut, type RawRow } from './plan-fan-out.js';

export function fanOutSqlite(t: Tables) {
  const look = lookForRaw(t);
  const take = `select seq, type, ordering_key, priority, available_at, received_at from ${t.inbox}
    where fanned_out_at is null order by seq limit ?`;
  const registry = `select version from ${t.registry} where id = 1`;
  const deliver = deliverSqlite(t);
  const mark = `update ${t.inbox} set fanned_out_at = ? where seq in (select value from json_each(?))`;

  return function* (request: FanOutRequest): SqliteVerb<FanOutResult> {
    const idle = yield* look(request);
    if (idle) return idle;
    yield BEGIN;
    const rows = yield* query<RawRow>(take, [request.limit]);
    const [current] = yield* query<{ version: number }>(registry);
    const { deliveries, result } = planFanOut(rows, request, current?.version);
    yield* each(
      deliver,
      deliveries.map((to) => [to.seq, to.handler, to.priority, to.availableAt, to.dueAt, to.orderingKey]),
    );
    if (result.events > 0) yield* execute(mark, [request.now, JSON.stringify(rows.map((row) => row.seq))]);
    return result;
  };
}
