import type { AppendRequest, AppendResult } from '../inbox.store.js';
import type { MemoryDatabase } from './memory-database.js';
import type { MemoryTransaction } from './memory-transaction.js';

/** Appends at once, or with the commit of `transaction`. */
export async function append(
  database: MemoryDatabase,
  request: AppendRequest,
  transaction?: MemoryTransaction,
): Promise<AppendResult> {
  const { registryVersion, now } = request;
  // Read now, so that a call that fails has changed nothing, and what the caller changes later does not matter.
  const events = request.events.map((event) => ({ ...event, deliveries: event.deliveries.map((to) => ({ ...to })) }));
  const names = events.flatMap(({ id, orderingKey }) =>
    orderingKey === null ? [`id:${id}`] : [`id:${id}`, `key:${orderingKey}`],
  );
  const work = () => {
    const appended = transaction?.appended ?? new Set<string>();
    const stored = events.map(({ id }) => {
      if (database.eventsById.has(id) || appended.has(id)) return false;
      appended.add(id);
      return true;
    });
    // Asked again at the commit: a handler announced meanwhile must get the event too, so the processor then owes it.
    const isCurrent = () => registryVersion === database.registry.version;
    const insert = () => {
      const fannedOut = isCurrent();
      for (const [index, event] of events.entries()) {
        if (stored[index]) database.insertEvent(event, now, fannedOut);
      }
    };
    const result = { stored, fannedOut: isCurrent() };
    if (transaction) transaction.changes.push(insert);
    else insert();
    return result;
  };
  return database.locks.whenFree(() => names, work, transaction);
}
