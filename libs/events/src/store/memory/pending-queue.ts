import { Heap } from './heap.js';
import type { DeliveryRow } from './memory-rows.js';

/** The order of claims: lower priority first, then older. */
export function claimedBefore(a: DeliveryRow, b: DeliveryRow): boolean {
  return a.priority === b.priority ? a.id < b.id : a.priority < b.priority;
}

/**
 * The pending deliveries of one handler. Those that are its own, or pending, or as innocent as they were no longer stay
 * until they come up, and are passed over; so are parked ones, which come again when they are not.
 */
export class PendingQueue {
  private readonly innocents = new Heap<DeliveryRow>(claimedBefore);
  private readonly suspects = new Heap<DeliveryRow>(claimedBefore);

  constructor(private readonly handler: string) {}

  push(row: DeliveryRow): void {
    this.heapOf(row).push(row);
  }

  /** The one to be claimed next; a suspect only if one may be. */
  first(suspect: boolean): DeliveryRow | undefined {
    const innocent = this.firstPending(this.innocents, false);
    const other = suspect ? this.firstPending(this.suspects, true) : undefined;
    return innocent && other ? (claimedBefore(other, innocent) ? other : innocent) : (innocent ?? other);
  }

  /** Takes out what `first` answered. */
  take(row: DeliveryRow): void {
    this.heapOf(row).pop();
  }

  private heapOf(row: DeliveryRow): Heap<DeliveryRow> {
    return row.crashes > 0 ? this.suspects : this.innocents;
  }

  private firstPending(heap: Heap<DeliveryRow>, suspect: boolean): DeliveryRow | undefined {
    while (heap.first && !this.belongs(heap.first, suspect)) heap.pop();
    return heap.first;
  }

  private belongs({ state, parked, handler, crashes }: DeliveryRow, suspect: boolean): boolean {
    return state === 'pending' && !parked && handler === this.handler && crashes > 0 === suspect;
  }
}
