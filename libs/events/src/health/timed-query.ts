import type { Clock, TimerHandle } from '../clock/clock.js';
import { withoutCredentials } from '../observability/without-credentials.js';

/** How long the database may take to answer. */
const QUERY_TIMEOUT_MS = 1_000;

/** What the database has answered, or why there was no answer. */
export type TimedAnswer<T> =
  { readonly up: true; readonly value: T; readonly tookMs: number } | { readonly up: false; readonly reason: string };

/** Asks the database, for a second at most. Never rejects. */
export async function timedQuery<T>(clock: Clock, ask: () => Promise<T>): Promise<TimedAnswer<T>> {
  const askedAt = clock.monotonic();
  let timer: TimerHandle;
  const late = new Promise<TimedAnswer<T>>((resolve) => {
    const reason = `no answer within ${QUERY_TIMEOUT_MS} ms`;
    timer = clock.setTimeout(() => resolve({ up: false, reason }), QUERY_TIMEOUT_MS);
  });
  const answer = new Promise<T>((resolve) => resolve(ask())).then(
    (value): TimedAnswer<T> => ({ up: true, value, tookMs: Math.round(clock.monotonic() - askedAt) }),
    (error: unknown): TimedAnswer<T> => ({ up: false, reason: reasonOf(error) }),
  );
  const result = await Promise.race([answer, late]);
  clock.clearTimeout(timer);
  return result;
}

/** For a body that others may read. */
export function reasonOf(error: unknown): string {
  return withoutCredentials(error instanceof Error ? error.message : String(error));
}
