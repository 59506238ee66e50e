import type { NewEvent } from '../../store/records.js';

/** Rows of the lock table. */
const LOCKS = 1_024;

/**
 * The lock rows that serialise publishes of these events' ordering keys, each once, ascending: everybody locks in that
 * order, so two publishes cannot hold what the other needs.
 */
export function orderingLocks(events: readonly Pick<NewEvent, 'orderingKey'>[]): number[] {
  const locks = new Set<number>();
  for (const { orderingKey } of events) if (orderingKey !== null) locks.add(hash(orderingKey) % LOCKS);
  return [...locks].toSorted((a, b) => a - b);
}

/** FNV-1a over UTF-16 units. Part of the protocol between nodes: all must take the same row for a key, for ever. */
function hash(key: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) value = Math.imul(value ^ key.charCodeAt(index), 0x01000193);
  return value >>> 0;
}
