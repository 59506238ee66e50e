import type { MemoryDatabase } from './memory-database.js';

/** A handler that is not ordered has no lanes, and one that skips dead letters is not blocked by any. */
export function freeLanes(database: MemoryDatabase, handler: string): void {
  const row = database.registry.get(handler);
  if (row?.ordered && row.onDeadLetter === 'block') return;
  const isIts = (one: { readonly handler: string }) => one.handler === handler;
  for (const letter of [...database.dead.values()].filter(isIts)) database.unblock(letter);
  if (row?.ordered) return;
  const ordered = [...database.live.values()].filter((one) => isIts(one) && one.orderingKey !== null);
  for (const delivery of ordered) database.unorder(delivery);
}
