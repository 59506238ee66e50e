/** What a started timer answers; pass it back to `clearTimeout`. */
export type TimerHandle = unknown;

/**
 * All time of the library goes through this one class, so that tests wait exactly instead of about.
 * On server databases `now()` is the database's time (see `adjust`), so that nodes with skewed clocks agree.
 */
export abstract class Clock {
  /** Epoch milliseconds, an integer. May jump. */
  abstract now(): number;
  /** Milliseconds from an arbitrary start; never goes back. For measuring how long something takes. */
  abstract monotonic(): number;
  /** Runs `callback` once after `ms` milliseconds (at least). */
  abstract setTimeout(callback: () => void, ms: number): TimerHandle;
  abstract clearTimeout(timer: TimerHandle): void;
  /** Tells the clock how many milliseconds the database's clock is ahead of this machine's. */
  abstract adjust(offsetMs: number): void;
}
