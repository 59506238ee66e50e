import type { DeliveryRow } from './memory-rows.js';

/** One lane's members, by the `seq` of their events. */
export class MemoryLane {
  /** Those that run, whatever their place. */
  readonly leased = new Set<DeliveryRow>();
  private readonly rows: DeliveryRow[] = [];
  /** Members at the head that have left; they are cut off in large pieces. */
  private cut = 0;

  get first(): DeliveryRow | undefined {
    return this.rows[this.cut];
  }

  /** The member behind this one. */
  after(row: DeliveryRow): DeliveryRow | undefined {
    return this.rows[this.placeOf(row) + 1];
  }

  add(row: DeliveryRow): void {
    const place = this.placeOf(row);
    if (this.rows[place] === row) return;
    this.rows.splice(place, 0, row);
    if (row.leaseNode !== null) this.leased.add(row);
  }

  remove(row: DeliveryRow): void {
    this.leased.delete(row);
    const place = this.placeOf(row);
    if (this.rows[place] !== row) return;
    if (place > this.cut) this.rows.splice(place, 1);
    else this.cut++;
    if (this.cut < 1_000) return;
    this.rows.splice(0, this.cut);
    this.cut = 0;
  }

  /** Where it is, or would be. */
  private placeOf(row: DeliveryRow): number {
    let [low, high] = [this.cut, this.rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comesBefore(this.rows[middle], row)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** All lanes. A delivery with an ordering key is in one while it is live, or dead and blocks. */
export class MemoryLanes {
  private readonly lanes = new Map<string, MemoryLane>();

  of(row: DeliveryRow): MemoryLane | undefined {
    return row.orderingKey === null ? undefined : this.lanes.get(nameOf(row));
  }

  enter(row: DeliveryRow): void {
    if (row.orderingKey === null) return;
    let lane = this.of(row);
    if (!lane) this.lanes.set(nameOf(row), (lane = new MemoryLane()));
    lane.add(row);
  }

  leave(row: DeliveryRow): void {
    const lane = this.of(row);
    lane?.remove(row);
    if (lane && !lane.first) this.lanes.delete(nameOf(row));
  }
}

function nameOf({ handler, orderingKey }: DeliveryRow): string {
  return JSON.stringify([handler, orderingKey]);
}

function comesBefore(a: DeliveryRow, b: DeliveryRow): boolean {
  const [seqA, seqB] = [a.event.stored.seq, b.event.stored.seq];
  return seqA === seqB ? a.id < b.id : seqA < seqB;
}
