import type { Clock } from '../../clock/clock.js';
import { StoreBusyError } from '../../errors/store-busy.error.js';
import { isBusy } from './native-database.js';

/** How long a verb puts up with others' writes before their error is its own. */
const DEADLINE_MS = 10_000;
const FIRST_WAIT_MS = 1;
const LONGEST_WAIT_MS = 50;

/** Tries a busy SQLite database again, after short jittered waits that block nobody. */
export class Patience {
  constructor(
    private readonly clock: Clock,
    private readonly random: () => number,
  ) {}

  /** @throws StoreBusyError when it stays busy; any other error of `attempt` as it is. */
  async retry<R>(attempt: () => R | Promise<R>): Promise<R> {
    const deadline = this.clock.monotonic() + DEADLINE_MS;
    for (let longest = FIRST_WAIT_MS; ; longest = Math.min(longest * 2, LONGEST_WAIT_MS)) {
      try {
        return await attempt();
      } catch (error) {
        if (!isBusy(error)) throw error;
        if (this.clock.monotonic() >= deadline) throw new StoreBusyError(DEADLINE_MS, { cause: error });
      }
      const waitMs = Math.ceil(longest * (0.5 + this.random() / 2));
      await new Promise<void>((resolve) => this.clock.setTimeout(resolve, waitMs));
    }
  }
}
