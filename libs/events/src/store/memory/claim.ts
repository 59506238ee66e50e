import type { ClaimRequest } from '../delivery.store.js';
import type { MemoryDatabase } from './memory-database.js';
import type { DeliveryRow } from './memory-rows.js';
import { claimedBefore } from './pending-queue.js';

/** Leases the best of the queues' heads, one after the other, so the answer is in the order of claims. */
export function claim(database: MemoryDatabase, { node, wants, limit, suspect }: ClaimRequest): DeliveryRow[] {
  const queues = wants.map((want) => ({ queue: database.queue(want.handler), left: want.limit }));
  const claimed: DeliveryRow[] = [];
  let suspectAllowed = suspect;
  while (claimed.length < limit) {
    let best: { row: DeliveryRow; from: (typeof queues)[number] } | undefined;
    for (const from of queues) {
      const row = from.left > 0 ? from.queue?.first(suspectAllowed) : undefined;
      if (row && (!best || claimedBefore(row, best.row))) best = { row, from };
    }
    if (!best) break;
    const { row, from } = best;
    from.queue?.take(row);
    from.left--;
    if (row.crashes > 0) suspectAllowed = false;
    row.state = 'processing';
    row.leaseNode = node;
    row.claims++;
    claimed.push(row);
  }
  return claimed;
}
