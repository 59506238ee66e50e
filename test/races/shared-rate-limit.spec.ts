/** A rate limit that two real processes share through one database. */
import { describe, expect, it } from 'vitest';
import { ChainCluster, payloads } from '../support/chain-cluster.js';
import { databaseKinds } from '../support/database-kinds.js';
import type { Run } from '../support/chain-database.js';

const EVENTS = 200;
const BURST = 10;
const PER_SECOND = 50;
const INTERVAL_MS = 1_000 / PER_SECOND;
/** Nodes measure their database's clock to within half a round trip, which on a loaded machine is tens of milliseconds. */
const CLOCK_MS = 100;
const LOADED_MS = 10_000;

describe.concurrent.each(databaseKinds)('a rate limit shared by two nodes on one $name database', (kind) => {
  // With 100 nearly all events reserve their token at once; with 10 a few at a time.
  it.each([10, 100])(
    'lets no more through than one bucket would, and nobody polls (concurrency %i)',
    async (concurrency) => {
      const options = {
        handler: { concurrency, rateLimit: { limit: PER_SECOND, period: '1s', burst: BURST } },
      } as const;
      await ChainCluster.run(kind, options, async (cluster, database) => {
        const nodes = await cluster.startTwo();
        await database.logClaims();
        const publishedAt = Date.now();
        // Whoever has put a delivery back knows best when its token is due: each begins once while the other does not claim.
        const [first, second] = nodes;
        await first.call('pauseNode');
        await second.call('publish', payloads(EVENTS / 2, EVENTS));
        await database.until(`runs where pid = ${second.pid}`, (count) => count > 0);
        await second.call('pauseNode');
        await first.call('resumeNode');
        await first.call('publish', payloads(0, EVENTS / 2));
        await database.until(`runs where pid = ${first.pid}`, (count) => count > 0);
        await second.call('resumeNode');
        await database.until('event_delivery', (count) => count === 0);

        const runs = await database.runs();
        expect(new Set(runs.map(({ n }) => n)).size).toBe(EVENTS);
        expect(runs.length).toBe(EVENTS);
        for (const { pid } of nodes) expect(runs.some((run) => run.pid === pid)).toBe(true);
        expectWithinLimit(runs, publishedAt);

        const tookMs = Math.max(...runs.map(({ startedAt }) => startedAt)) - publishedAt;
        const leastMs = (EVENTS - BURST) * INTERVAL_MS;
        const claims = await database.loggedClaims();
        const perDelivery = claims.reduce((sum, one) => sum + one, 0) / claims.length;
        console.log(
          `${kind.name}, ${concurrency}: ${EVENTS} runs took ${tookMs} ms (at least ${leastMs}), ${perDelivery} claims each`,
        );
        expect(tookMs).toBeGreaterThanOrEqual(leastMs - CLOCK_MS);
        // Whoever waits for a CPU starts late.
        expect(tookMs).toBeLessThan(leastMs + LOADED_MS);
        expect(claims.length).toBe(EVENTS);
        // Two, and one for what a pause has given back.
        expect(perDelivery).toBeLessThanOrEqual(3);
      });
    },
  );
});

/**
 * The bucket was full when the first event came, so the n-th start is not before (n - burst) intervals from then: that is
 * exact, since nothing starts before its token is due. A window may begin with a start that came late, close to those of
 * the tokens that fell due meanwhile: each interval of that lateness allows it one run more (2.5 for 50 ms).
 */
function expectWithinLimit(runs: readonly Run[], fullAt: number): void {
  const starts = runs.map(({ startedAt }) => startedAt).toSorted((a, b) => a - b);
  const dueAt = starts.map((_, index) => fullAt + Math.max(0, index + 1 - BURST) * INTERVAL_MS);
  expect(starts.filter((at, index) => at < dueAt[index] - CLOCK_MS)).toEqual([]);

  const waited = runs.flatMap(({ rateSlot, startedAt }) => (rateSlot === null ? [] : [{ rateSlot, startedAt }]));
  expect(waited.filter(({ rateSlot, startedAt }) => startedAt < rateSlot - CLOCK_MS)).toEqual([]);
  // No two have waited for the same token. Slots are rounded up to whole milliseconds.
  const slots = waited.map(({ rateSlot }) => rateSlot).toSorted((a, b) => a - b);
  expect(slots.filter((slot, index) => slot - slots[index - 1] < INTERVAL_MS - 1)).toEqual([]);

  const lateMs = starts.map((at, index) => Math.max(0, at - dueAt[index]));
  console.log(`the latest start came ${Math.round(Math.max(...lateMs))} ms after its token`);
  const tooMany = starts.flatMap((from, first) =>
    starts.slice(first).flatMap((to, further) => {
      const allowed = BURST + 1 + (to - from + lateMs[first] + CLOCK_MS) / INTERVAL_MS;
      return further + 1 > allowed ? [`${further + 1} runs within ${to - from} ms`] : [];
    }),
  );
  expect(tooMany).toEqual([]);
}
