import type { Clock } from '../clock/clock.js';
import type { EventStore } from '../store/event-store.js';

export interface StagerOptions {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly batchSize: number;
  readonly pollIntervalMs: number;
}

/** Makes deliveries pending when they fall due, and knows when the next one does, so that one timer is enough. */
export class Stager {
  private dueAt = 0;
  /** Monotonic. Other nodes schedule too, so the due time known here is looked at anew every interval. */
  private lookAt = 0;

  constructor(private readonly options: StagerOptions) {}

  /** Milliseconds until something falls due, as far as is known; 0 = now, Infinity = nothing will. */
  get dueInMs(): number {
    return Math.max(0, this.dueAt - this.options.clock.now());
  }

  /** A delivery falls due at this moment. True when that is earlier than anything known before. */
  expect(dueAt: number): boolean {
    const isEarlier = dueAt < this.dueAt;
    if (isEarlier) this.dueAt = dueAt;
    return isEarlier;
  }

  /** Asks the store only when something is due or the interval has passed. True when there is likely more at once. */
  async stage(): Promise<boolean> {
    const { store, clock, batchSize, pollIntervalMs } = this.options;
    if (this.dueInMs > 0 && clock.monotonic() < this.lookAt) return false;
    this.lookAt = clock.monotonic() + pollIntervalMs;
    this.dueAt = Infinity;
    try {
      const { staged, nextDueAt } = await store.stage(clock.now(), batchSize);
      if (nextDueAt !== null) this.expect(nextDueAt);
      return staged === batchSize;
    } catch (error) {
      // The due time that was known is unknown now: look at once when the store answers again.
      this.dueAt = 0;
      throw error;
    }
  }
}
