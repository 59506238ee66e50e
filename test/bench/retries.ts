import { type BenchApp, benchApp, perSecond, publishMany, round, timed } from './bench-app.js';
import { type BenchDatabase, fillRetries, onDatabase } from './bench-database.js';
import { until } from './until.js';

const ROUNDS = 5;
const IN_AN_HOUR_MS = 3_600_000;

export interface RetriesFigures {
  readonly drainAlone_s: number;
  readonly drainWithRetries_s: number;
  readonly retriesRatio: number;
  readonly exact: boolean;
}

/**
 * The drain, alone and while so many older deliveries of the same handler wait for a retry in an hour: in turn, so that
 * both are as warm; the least of each. Exact: each published event ran once, and all that waited still waits.
 */
export async function retries(db: string, events: number, waiting: number): Promise<RetriesFigures> {
  return beside(db, 0, (alone) =>
    beside(db, waiting, async (withRetries) => {
      for (let round = 0; round < ROUNDS; round++) {
        await alone.drain(events);
        await withRetries.drain(events);
      }
      return {
        drainAlone_s: perSecond(events, alone.leastMs),
        drainWithRetries_s: perSecond(events, withRetries.leastMs),
        retriesRatio: round(alone.leastMs / withRetries.leastMs),
        exact: (await alone.isExact()) && (await withRetries.isExact()),
      };
    }),
  );
}

async function beside<T>(db: string, waiting: number, use: (drains: Drains) => Promise<T>): Promise<T> {
  return onDatabase(db, async (database) => {
    const app = await benchApp({ dataSource: database.options });
    try {
      const dueAt = Date.now() + IN_AN_HOUR_MS;
      if (waiting > 0) await fillRetries(database, waiting, dueAt);
      return await use(new Drains(database, app, waiting, dueAt));
    } finally {
      await app.close();
    }
  });
}

/** Drains of one database, one after the other. */
class Drains {
  leastMs = Infinity;
  private published = 0;

  constructor(
    private readonly database: BenchDatabase,
    private readonly app: BenchApp,
    private readonly waiting: number,
    private readonly dueAt: number,
  ) {}

  async drain(events: number): Promise<void> {
    const { app, database } = this;
    await app.node.pause();
    await publishMany(app, events);
    this.published += events;
    await database.vacuum();
    const ms = await timed(async () => {
      await app.node.resume();
      await until('the runs', () => app.runs >= this.published);
      // Not by the live rows: to count a million that wait would be part of the figure.
      await until('their outcomes', async () => (await database.count('completion')) >= this.published);
    });
    this.leastMs = Math.min(this.leastMs, ms);
  }

  async isExact(): Promise<boolean> {
    const { app, database, published, waiting } = this;
    const ranOnce = app.runs === published && (await database.count('completion')) === published;
    const stillWait = await database.count(`delivery where available_at = ${this.dueAt} and attempts = 1`);
    return ranOnce && stillWait === waiting && (await database.count('delivery')) === waiting;
  }
}
