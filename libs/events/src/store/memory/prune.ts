import type { PruneRequest } from '../event-store.js';
import { firstOf } from './first-of.js';
import type { MemoryDatabase } from './memory-database.js';
import type { DeliveryRow } from './memory-rows.js';

/** Deletes finished deliveries first, so that their events can go in the same call. */
export function prune(database: MemoryDatabase, { completedBefore, deadBefore, limit }: PruneRequest): number {
  const endedBefore = (moment: number) => (row: DeliveryRow) => row.end !== null && row.end.at < moment;
  const rows = [
    ...firstOf(database.history.values(), limit, endedBefore(completedBefore)),
    ...firstOf(database.dead.values(), limit, endedBefore(deadBefore)),
  ];
  for (const row of rows) database.forget(row);
  const unused = firstOf(
    database.eventsById.values(),
    limit,
    (event) => event.deliveries.size === 0 && event.stored.receivedAt < completedBefore && !database.raw.has(event),
  );
  for (const event of unused) database.forgetEvent(event);
  return rows.length + unused.length;
}
