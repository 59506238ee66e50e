import type { FanOutRequest, FanOutResult } from '../inbox.store.js';
import { firstOf } from './first-of.js';
import type { MemoryDatabase } from './memory-database.js';

/** One step, so no event is fanned out by two. */
export function fanOut(database: MemoryDatabase, { limit, registryVersion, now, match }: FanOutRequest): FanOutResult {
  if (registryVersion !== database.registry.version) return { events: 0, deliveries: 0, unhandled: [], stale: true };
  // All are matched before the first is written: a matcher that throws has changed nothing.
  const matched = firstOf(database.raw, limit).map((row) => {
    const { seq, type, orderingKey, priority } = row.stored;
    return { row, deliveries: match({ seq, type, orderingKey, priority }) };
  });
  for (const { row, deliveries } of matched) {
    database.raw.delete(row);
    database.insertDeliveries(row, deliveries, now);
  }
  return {
    events: matched.length,
    deliveries: matched.reduce((sum, { deliveries }) => sum + deliveries.length, 0),
    unhandled: matched.filter(({ deliveries }) => deliveries.length === 0).map(({ row }) => row.stored.type),
    stale: false,
  };
}
