import type { Settlement } from '../store/records.js';
import type { Claimed } from './handler-slot.js';

/**
 * What a handler has in hand of its lanes: one delivery of each is queued or runs, those claimed behind it wait here, in
 * the lane's order, until it has ended.
 */
export class LaneRuns {
  private readonly rests = new Map<string, Claimed[]>();
  /** How many wait here. */
  size = 0;

  has(lane: string): boolean {
    return this.rests.has(lane);
  }

  /** True: it waits behind another of its lane. False: it may begin, and others wait behind it from now on. */
  join(lane: string, claimed: Claimed): boolean {
    const rest = this.rests.get(lane);
    if (!rest) {
      this.rests.set(lane, []);
      return false;
    }
    rest.push(claimed);
    this.size++;
    return true;
  }

  /** The one before it is done: takes out the next, which may begin. Undefined: the lane is at its end here. */
  next(lane: string): Claimed | undefined {
    const next = this.rests.get(lane)?.shift();
    if (next) this.size--;
    else this.rests.delete(lane);
    return next;
  }

  /** Takes out all that waits in the lane: it must not begin. */
  breakOff(lane: string): Claimed[] {
    const rest = this.rests.get(lane) ?? [];
    this.rests.delete(lane);
    this.size -= rest.length;
    return rest;
  }

  /** Takes out what waits beyond so many, the last of their lanes first. */
  trim(keep: number): Claimed[] {
    const taken: Claimed[] = [];
    for (const rest of this.rests.values()) {
      if (this.size <= keep) break;
      const tail = rest.splice(Math.max(0, rest.length - (this.size - keep)));
      this.size -= tail.length;
      taken.push(...tail);
    }
    return taken;
  }

  /** Takes out those that are meant; the others keep their places. */
  drop(isMeant: (claimed: Claimed) => boolean): Claimed[] {
    const dropped: Claimed[] = [];
    for (const rest of this.rests.values()) {
      const at = rest.findIndex(isMeant);
      if (at >= 0) dropped.push(...rest.splice(at, 1));
    }
    this.size -= dropped.length;
    return dropped;
  }

  get waiting(): Claimed[] {
    return [...this.rests.values()].flat();
  }
}

/**
 * Whether what follows in the lane must not begin. After a dead letter it may, if the handler skips those; but that the
 * store decides, and the next claim shows.
 */
export function keepsLaneWaiting(settlement: Settlement | undefined): boolean {
  return settlement !== undefined && settlement.outcome !== 'completed' && settlement.outcome !== 'duplicate';
}
