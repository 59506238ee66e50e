import type { Clock } from '../clock/clock.js';
import { SlidingWindow } from '../policies/sliding-window.js';

/** Errors older than this no longer degrade a handler's health. */
const ERROR_WINDOW_MS = 60_000;

/** What one handler has done in this process since it started. */
export class HandlerActivity {
  /** Attempts running now. */
  inFlight = 0;
  /** Runs that ignored their aborted signal and have not ended yet; not among `inFlight`. */
  leaked = 0;
  completed = 0;
  retried = 0;
  dead = 0;
  snoozed = 0;
  /** Deliveries whose idempotency key was completed before. */
  duplicates = 0;
  /** Outcomes that could not be written because the delivery belonged to somebody else by then. */
  lost = 0;
  /** Attempts that failed, retried or not. */
  failed = 0;
  /** How often the circuit went open. */
  circuitOpened = 0;
  private recent = new SlidingWindow(ERROR_WINDOW_MS);
  private lastErrorAt = -Infinity;

  constructor(private readonly clock: Clock) {}

  /** Attempts that came to an end, whatever it was; snoozes are none. */
  get processed(): number {
    return this.completed + this.failed;
  }

  record(failed: boolean): void {
    const now = this.clock.monotonic();
    this.recent.record(failed, now);
    if (failed) {
      this.failed += 1;
      this.lastErrorAt = now;
    } else this.completed += 1;
  }

  /** An error in the last minute, and at least a tenth of that minute's attempts failed. */
  get failing(): boolean {
    const { failures, calls } = this.recent;
    return this.clock.monotonic() - this.lastErrorAt < ERROR_WINDOW_MS && failures >= calls * 0.1;
  }
}
