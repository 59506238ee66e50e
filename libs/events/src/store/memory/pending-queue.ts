import { Heap } from './heap.js';
import type { DeliveryRow } from './memory-rows.js';

/** The order of claims: lower priority first, then older. */
export function claimedBefore(a: DeliveryRow, b: DeliveryRow): boolean {
  return a.priority === b.priority ? a.id < b.id : a.priority < b.priority;
}

/** The pending deliveries of one handler. Cancelled ones stay until they come up, and are passed over. */
export class PendingQueue {
  private readonly innocents = new Heap<DeliveryRow>(claimedBefore);
  private readonly suspects = new Heap<DeliveryRow>(claimedBefore);

  push(row: DeliveryRow): void {
    this.heapOf(row).push(row);
  }

  /** The one to be claimed next; a suspect only if one may be. */
  first(suspect: boolean): DeliveryRow | undefined {
    const innocent = firstPending(this.innocents);
    const other = suspect ? firstPending(this.suspects) : undefined;
    return innocent && other ? (claimedBefore(other, innocent) ? other : innocent) : (innocent ?? other);
  }

  /** Takes out what `first` answered. */
  take(row: DeliveryRow): void {
    this.heapOf(row).pop();
  }

  private heapOf(row: DeliveryRow): Heap<DeliveryRow> {
    return row.crashes > 0 ? this.suspects : this.innocents;
  }
}

function firstPending(heap: Heap<DeliveryRow>): DeliveryRow | undefined {
  while (heap.first && heap.first.state !== 'pending') heap.pop();
  return heap.first;
}
