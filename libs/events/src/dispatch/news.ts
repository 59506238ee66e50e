import type { Clock, TimerHandle } from '../clock/clock.js';

/** How long a node that found nothing lets others go first. */
const QUIET_MS = 10;

/**
 * What other nodes tell of new work. All nodes hear it at once, and most come too late for it: a node whose last look after
 * such news found nothing looks a little later, once for all news of that time. So a large cluster does not look 500
 * times a second on each node for what one of them gets.
 */
export class News {
  private fresh = false;
  /** Monotonic. */
  private quietUntil = -Infinity;
  private timer: TimerHandle;

  /** @param look makes a turn begin soon. */
  constructor(
    private readonly clock: Clock,
    private readonly look: () => void,
  ) {}

  hear(): void {
    const waitMs = this.quietUntil - this.clock.monotonic();
    if (waitMs <= 0) {
      this.fresh = true;
      this.look();
      return;
    }
    this.timer ??= this.clock.setTimeout(() => {
      this.timer = undefined;
      this.fresh = true;
      this.look();
    }, waitMs);
  }

  /** A turn begins. True = there was news since the last. */
  take(): boolean {
    const { fresh } = this;
    this.fresh = false;
    return fresh;
  }

  /** What a turn that began with news has found. */
  found(claimed: number): void {
    this.quietUntil = claimed === 0 ? this.clock.monotonic() + QUIET_MS : -Infinity;
  }

  close(): void {
    this.clock.clearTimeout(this.timer);
    this.timer = undefined;
  }
}
