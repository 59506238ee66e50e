import type { FanOutRequest, FanOutResult } from '../../store/inbox.store.js';
import type { NewDelivery } from '../../store/records.js';
import { dueAt } from './rows.js';

export interface RawRow {
  seq: number;
  type: string;
  ordering_key: string | null;
  priority: number | null;
  available_at: number | null;
}

export interface FanOutPlan {
  readonly deliveries: readonly (NewDelivery & { readonly seq: number; readonly availableAt: number | null })[];
  readonly result: FanOutResult;
}

/** What raw events become, if the registry is still at the version that the request matches by. */
export function planFanOut(rows: readonly RawRow[], request: FanOutRequest, version: number | undefined): FanOutPlan {
  if (version !== request.registryVersion) {
    return { deliveries: [], result: { events: 0, deliveries: 0, unhandled: [], stale: true } };
  }
  const unhandled: string[] = [];
  const deliveries = rows.flatMap(({ seq, type, ordering_key: orderingKey, priority, available_at }) => {
    const matched = request.match({ seq, type, orderingKey, priority });
    if (matched.length === 0) unhandled.push(type);
    const availableAt = dueAt(available_at, request.now);
    return matched.map((delivery) => ({ ...delivery, seq, availableAt }));
  });
  return { deliveries, result: { events: rows.length, deliveries: deliveries.length, unhandled, stale: false } };
}
