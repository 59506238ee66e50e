import type { Clock } from '../clock/clock.js';

const MOST_TRIES = 5;
/** Random, or those who have just met would meet again. */
const LONGEST_WAIT_MS = 20;

export interface ConflictRetries {
  /** Whether the database has made it give way to another: nothing of it has happened. */
  readonly isConflict: (error: unknown) => boolean;
  readonly clock: Pick<Clock, 'setTimeout'>;
  /** Of [0, 1). */
  readonly random: () => number;
}

/** Runs what a conflict may end; after one, again from its start. */
export async function retryConflicts<R>(
  run: () => Promise<R>,
  { isConflict, clock, random }: ConflictRetries,
): Promise<R> {
  for (let tries = 1; ; tries++) {
    try {
      return await run();
    } catch (error) {
      if (tries === MOST_TRIES || !isConflict(error)) throw error;
      const waitMs = Math.ceil(random() * LONGEST_WAIT_MS);
      await new Promise<void>((resolve) => clock.setTimeout(resolve, waitMs));
    }
  }
}
