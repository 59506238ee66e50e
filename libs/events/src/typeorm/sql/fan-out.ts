import type { FanOutRequest, FanOutResult } from '../../store/inbox.store.js';
import type { NewDelivery } from '../../store/records.js';
import type { Tables } from '../tables.js';
import { BEGIN, query, type SqliteVerb } from '../verb.js';
import { dueAt } from './rows.js';

/** Of a raw event. */
export const RAW_COLUMNS = 'seq, type, ordering_key, priority, available_at, received_at';

interface RawRow {
  seq: number;
  type: string;
  ordering_key: string | null;
  priority: number | null;
  available_at: number | null;
  received_at: number;
}

export interface PlannedDelivery extends NewDelivery {
  readonly seq: number;
  readonly availableAt: number | null;
  /** When its delay was over, if that was before the fan-out. */
  readonly dueAt: number | null;
}

interface FanOutPlan {
  readonly deliveries: readonly PlannedDelivery[];
  readonly result: FanOutResult;
}

/** What raw events become, if the registry is still at the version that the request matches by. */
function planFanOut(rows: readonly RawRow[], request: FanOutRequest, version: number | undefined): FanOutPlan {
  if (version !== request.registryVersion) {
    return { deliveries: [], result: { events: 0, deliveries: 0, unhandled: [], stale: true } };
  }
  const unhandled: string[] = [];
  const deliveries = rows.flatMap(({ seq, type, ordering_key: orderingKey, priority, available_at, received_at }) => {
    const matched = request.match({ seq, type, orderingKey, priority });
    if (matched.length === 0) unhandled.push(type);
    const availableAt = dueAt(available_at, request.now);
    // A delay that was over before the event came, as another program may write it, was none.
    const overAt = availableAt === null ? dueAt(available_at, received_at) : null;
    return matched.map((delivery) => ({ ...delivery, seq, availableAt, dueAt: overAt }));
  });
  return { deliveries, result: { events: rows.length, deliveries: deliveries.length, unhandled, stale: false } };
}

export interface FanOutSql {
  /** Locks the raw events that it answers, in the order of `seq`. Parameter: how many. */
  readonly take: string;
  /** For the look at the same events. */
  readonly hint?: string;
  /** Stores at least one. */
  readonly deliver: (deliveries: readonly PlannedDelivery[]) => SqliteVerb<unknown>;
  /** Notes that these are fanned out. */
  readonly mark: (now: number, seqs: readonly number[]) => SqliteVerb<unknown>;
}

/**
 * Looks first, in one statement and without a transaction: while nothing is raw, nobody is kept from writing, and nobody
 * is waited for. Then the version is read after the events are locked: an event that was stored after a handler's
 * registration committed can only be fanned out by a version that has the handler.
 */
export function fanOut(t: Tables, { take, hint = '', deliver, mark }: FanOutSql) {
  const look = `select version, exists (select 1 from ${t.inbox} ${hint} where fanned_out_at is null) as raw
    from ${t.registry} where id = 1`;
  const registry = `select version from ${t.registry} where id = 1`;

  return function* (request: FanOutRequest): SqliteVerb<FanOutResult> {
    const [seen] = yield* query<{ version: number; raw: boolean | number }>(look, [], 'events:look-for-raw');
    if (!seen?.raw) return planFanOut([], request, seen?.version).result;
    yield BEGIN;
    const rows = yield* query<RawRow>(take, [request.limit]);
    const [current] = yield* query<{ version: number }>(registry);
    const { deliveries, result } = planFanOut(rows, request, current?.version);
    if (deliveries.length > 0) yield* deliver(deliveries);
    if (result.events > 0)
      yield* mark(
        request.now,
        rows.map((row) => row.seq),
      );
    return result;
  };
}
