import type { FanOutRequest, FanOutResult } from '../../store/inbox.store.js';
import type { NewDelivery } from '../../store/records.js';
import type { Tables } from '../tables.js';
import { query, type Verb } from '../verb.js';
import { dueAt } from './rows.js';

export interface RawRow {
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

export interface FanOutPlan {
  readonly deliveries: readonly PlannedDelivery[];
  readonly result: FanOutResult;
}

/** What raw events become, if the registry is still at the version that the request matches by. */
export function planFanOut(rows: readonly RawRow[], request: FanOutRequest, version: number | undefined): FanOutPlan {
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

/**
 * Looks, in one statement and without a transaction: while nothing is raw, nobody is kept from writing, and nobody is
 * waited for. @returns the answer then; undefined when there is something to fan out.
 */
export function lookForRaw(t: Tables, hint = '') {
  const look = `select version, exists (select 1 from ${t.inbox} ${hint} where fanned_out_at is null) as raw
    from ${t.registry} where id = 1`;

  return function* (request: FanOutRequest): Verb<FanOutResult | undefined> {
    const [current] = yield* query<{ version: number; raw: boolean | number }>(look, [], 'events:look-for-raw');
    return current?.raw ? undefined : planFanOut([], request, current?.version).result;
  };
}
