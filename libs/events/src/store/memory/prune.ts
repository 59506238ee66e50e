import type { PruneRequest } from '../event-store.js';
import { firstOf } from './first-of.js';
import type { MemoryDatabase } from './memory-database.js';
import type { DeliveryRow } from './memory-rows.js';

/** Deletes finished deliveries first, so that their events can go in the same call. */
export function prune(database: MemoryDatabase, { completedBefore, deadBefore, now, limit }: PruneRequest): number {
  const endedBefore = (moment: number) => (row: DeliveryRow) => row.end !== null && row.end.at < moment;
  const rows = [
    ...firstOf(database.history.values(), limit, endedBefore(completedBefore)),
    ...firstOf(database.dead.values(), limit, (row) => endedBefore(deadBefore)(row) && !blocksLive(database, row)),
  ];
  for (const row of rows) database.forget(row);
  const unused = firstOf(
    database.eventsById.values(),
    limit,
    (event) => event.deliveries.size === 0 && event.stored.receivedAt < completedBefore && !database.raw.has(event),
  );
  for (const event of unused) database.forgetEvent(event);
  return rows.length + unused.length + database.keys.sweep(now, limit) + database.buckets.sweep(now, limit);
}

/** A dead letter that keeps deliveries waiting. */
function blocksLive({ lanes }: MemoryDatabase, row: DeliveryRow): boolean {
  const lane = row.blocks ? lanes.of(row) : undefined;
  for (let one = lane?.first; one; one = lane?.after(one)) if (one.state !== 'dead') return true;
  return false;
}
