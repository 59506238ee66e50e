import type { Clock } from '../../clock/clock.js';
import { isBusy, type NativeDatabase } from '../sqlite/native-database.js';

export interface LockWait {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Milliseconds after which waiting for the lock is given up. */
  readonly timeoutMs: number;
}

const LONGEST_PAUSE_MS = 25;

/**
 * Begins with the write lock in hand, so that no later statement of the transaction can find the file busy or its
 * snapshot outdated. While another connection has the lock it waits asynchronously: SQLite's own busy timeout would
 * block the event loop, and with it the holder, if that is in this process.
 * @throws SQLite's own error (`SQLITE_BUSY`) when the time is up.
 */
export async function beginImmediate(database: NativeDatabase, { clock, random, timeoutMs }: LockWait): Promise<void> {
  const deadline = clock.monotonic() + timeoutMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    const busy = tryBegin(database);
    if (!busy) return;
    if (clock.monotonic() >= deadline) throw busy;
    await new Promise<void>((resume) => clock.setTimeout(resume, pauseMs * (0.5 + random())));
  }
}

/** Answers the error if the file is busy. */
function tryBegin(database: NativeDatabase): Error | undefined {
  const timeoutMs = Number(database.pragma('busy_timeout', { simple: true }));
  database.pragma('busy_timeout = 0');
  try {
    database.prepare('BEGIN IMMEDIATE').run([]);
    return undefined;
  } catch (error) {
    if (isBusy(error)) return error as Error;
    throw error;
  } finally {
    database.pragma(`busy_timeout = ${timeoutMs}`);
  }
}
