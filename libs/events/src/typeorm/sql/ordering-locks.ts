import type { Lane } from './lanes.js';
import type { NewEvent } from '../../store/records.js';

/** Rows of the lock table for publishes; as many behind them are for lanes. */
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

/**
 * The lock rows of these lanes, in the same way. Who has changed a lane locks its row before he looks who is first in it
 * now: of two who change one lane at once, the later sees what both have done. Who is about to change deliveries of a lane
 * that he does not lease locks it before that, since the other may be about to wake just those.
 */
export function laneLocks(lanes: readonly Lane[]): number[] {
  const locks = new Set(lanes.map(({ handler, ordering_key: key }) => LOCKS + (hash(`${handler}\0${key}`) % LOCKS)));
  return [...locks].toSorted((a, b) => a - b);
}

/** FNV-1a over UTF-16 units. Part of the protocol between nodes: all must take the same row for a key or a lane, for ever. */
function hash(key: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) value = Math.imul(value ^ key.charCodeAt(index), 0x01000193);
  return value >>> 0;
}
