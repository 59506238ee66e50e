import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_EVERY_MS = 50;

/**
 * Looks until the answer is not undefined.
 * @throws Error that names what was waited for, after `withinMs`.
 */
export async function waitFor<T>(what: string, withinMs: number, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    const answer = await look();
    if (answer !== undefined) return answer;
    await sleep(LOOK_EVERY_MS);
  }
  throw new Error(`${what}: not within ${withinMs / 1_000} s`);
}
