import { BATCH, benchApp, PAYLOAD, perSecond, round } from './bench-app.js';
import { fillHistory, onDatabase } from './bench-database.js';
import { until } from './until.js';

/** So many events may wait before the publisher rests. */
const MOST_WAITING = 5_000;

export interface SustainedFigures {
  readonly sustained_s: number;
  readonly sustainedHistory_s: number;
  readonly historyRatio: number;
  readonly exact: boolean;
}

/** Publishes and works together for so long, as fast as both can; on empty tables, and on so much finished history. */
export async function sustained(db: string, seconds: number, history: number): Promise<SustainedFigures> {
  const [empty, full] = [await run(db, seconds, 0), await run(db, seconds, history)];
  return {
    sustained_s: empty.perSecond,
    sustainedHistory_s: full.perSecond,
    historyRatio: round(full.perSecond / empty.perSecond),
    exact: empty.exact && full.exact,
  };
}

async function run(db: string, seconds: number, history: number): Promise<{ perSecond: number; exact: boolean }> {
  return onDatabase(db, async (database) => {
    const app = await benchApp({ dataSource: database.options });
    try {
      if (history > 0) await fillHistory(database, history, Date.now());
      const startedAt = performance.now();
      const elapsedMs = () => performance.now() - startedAt;
      let published = 0;
      const batch = Array.from({ length: BATCH }, () => ({ event: 'bench.0', payload: PAYLOAD }));
      while (elapsedMs() < seconds * 1_000) {
        await app.publisher.publishAll(batch);
        published += BATCH;
        await until('the node to catch up', () => published - app.runs < MOST_WAITING);
      }
      const completed = () => app.stats.snapshot().total.completed;
      await until('the last runs', () => completed() >= published);
      await until('their outcomes', async () => (await database.count('delivery')) === 0);
      const perSecondNow = perSecond(published, elapsedMs());
      const exact = app.runs === published && (await database.count('completion')) === published + history;
      return { perSecond: perSecondNow, exact };
    } finally {
      await app.close();
    }
  });
}
