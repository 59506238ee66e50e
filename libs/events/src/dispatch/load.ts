import type { Clock } from '../clock/clock.js';

/** What of the node's capacity is in use, over all handlers. */
export class Load {
  /** Attempts under way. */
  running = 0;
  /** Claimed deliveries that a node has died with. */
  suspects = 0;
  private waiters: (() => void)[] = [];

  constructor(private readonly clock: Clock) {}

  begin(): void {
    this.running++;
  }

  end(): void {
    this.running--;
    if (this.running === 0) for (const resolve of this.waiters.splice(0)) resolve();
  }

  /** Waits until nothing runs; false when `timeoutMs` passed first. */
  async ended(timeoutMs = Infinity): Promise<boolean> {
    if (this.running === 0) return true;
    return new Promise((resolve) => {
      const timer = Number.isFinite(timeoutMs) ? this.clock.setTimeout(() => resolve(false), timeoutMs) : undefined;
      this.waiters.push(() => {
        if (timer !== undefined) this.clock.clearTimeout(timer);
        resolve(true);
      });
    });
  }
}
