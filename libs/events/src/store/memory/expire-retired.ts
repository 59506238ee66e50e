import type { MemoryDatabase } from './memory-database.js';

/** Gives waiting deliveries of retired handlers to who has adopted them, or buries them. */
export function expireRetired(database: MemoryDatabase, now: number, limit: number): number {
  const waiting = [...database.live.values()].filter(({ handler, state }) => {
    const row = database.registry.get(handler);
    return state !== 'processing' && row !== undefined && row.retiredAt !== null;
  });
  const rows = waiting.toSorted((a, b) => a.id - b.id).slice(0, limit);
  for (const row of rows) {
    const handler = database.registry.get(row.handler);
    const heir = handler && database.registry.heirOf(handler);
    if (heir === undefined) database.bury(row, 'expired', now);
    else database.rename(row, heir);
  }
  return rows.length;
}
