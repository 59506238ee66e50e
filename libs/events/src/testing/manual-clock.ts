import { inspect } from 'node:util';
import { Clock, type TimerHandle } from '../clock/clock.js';
import { type Duration, parseDuration } from '../duration.js';

interface ManualTimer {
  dueAt: number;
  order: number;
  callback: () => void;
}

/** A clock that stands still until it is told to move. Timers fire in order of their due time, then of their making. */
export class ManualClock extends Clock {
  private readonly timers = new Set<ManualTimer>();
  private order = 0;
  private readonly startMs: number;
  private timeMs: number;

  constructor(start: Date | number = Date.UTC(2026, 0, 1)) {
    super();
    this.startMs = this.timeMs = Number(start);
  }

  now(): number {
    return this.timeMs;
  }

  monotonic(): number {
    return this.timeMs - this.startMs;
  }

  setTimeout(callback: () => void, ms: number): TimerHandle {
    const timer: ManualTimer = { dueAt: this.timeMs + Math.max(0, ms), order: this.order++, callback };
    this.timers.add(timer);
    return timer;
  }

  clearTimeout(timer: TimerHandle): void {
    this.timers.delete(timer as ManualTimer);
  }

  adjust(): void {
    // A manual clock is the only time there is: no database disagrees with it.
  }

  /** Milliseconds until the next timer fires, or undefined if none is set. */
  get nextTimerInMs(): number | undefined {
    const next = this.next();
    return next && next.dueAt - this.timeMs;
  }

  /**
   * Moves time forward (by milliseconds, or `'30s'`) and fires every timer that falls due on the way, each at its own
   * moment. Between two timers (and after the last) it lets pending promises and immediates run.
   */
  async advance(by: Duration): Promise<void> {
    const ms = parseDuration(by);
    if (ms === undefined) throw new TypeError(`clock.advance: must be a duration, but is ${inspect(by)}`);
    const target = this.timeMs + ms;
    await settle();
    for (let timer = this.next(); timer && timer.dueAt <= target; timer = this.next()) {
      this.timeMs = Math.max(this.timeMs, timer.dueAt);
      this.timers.delete(timer);
      timer.callback();
      await settle();
    }
    this.timeMs = target;
    await settle();
  }

  private next(): ManualTimer | undefined {
    let first: ManualTimer | undefined;
    for (const timer of this.timers) {
      if (!first || timer.dueAt < first.dueAt || (timer.dueAt === first.dueAt && timer.order < first.order))
        first = timer;
    }
    return first;
  }
}

/** Lets everything that is ready to run, run: several turns of the event loop, since a turn may start others. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
