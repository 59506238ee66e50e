import { Clock, type TimerHandle } from './clock.js';

/** setTimeout of Node fires at once for anything longer; longer waits are cut and re-armed by their owners' loops. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** The machine's clock, shifted to the database's time. */
export class SystemClock extends Clock {
  private offsetMs = 0;

  now(): number {
    return Date.now() + this.offsetMs;
  }

  monotonic(): number {
    return performance.now();
  }

  setTimeout(callback: () => void, ms: number): TimerHandle {
    return setTimeout(callback, Math.min(ms, LONGEST_TIMEOUT_MS));
  }

  clearTimeout(timer: TimerHandle): void {
    clearTimeout(timer as NodeJS.Timeout);
  }

  adjust(offsetMs: number): void {
    this.offsetMs = Math.round(offsetMs);
  }
}
