import type { EventPublisher } from '../../libs/events/src/index.js';
import { benchApp, PAYLOAD, perSecond, round } from './bench-app.js';
import { fillHistory, onDatabase } from './bench-database.js';

const PER_SECOND = 1_000;
const TICK_MS = 10;
const IDLE_MS = 5_000;
/** Enough for the figure; a prune that is not done by then is stopped. */
const LONGEST_BESIDE_MS = 30_000;
/** When the rows to be pruned came: before any retention. */
const LONG_AGO = 1;

export interface PruneFigures {
  readonly db: string;
  readonly rows: number;
  readonly prunedRows: number;
  readonly idleP99Ms: number;
  readonly prunedP99Ms: number;
  readonly ratio: number;
  readonly prunedRows_s: number;
  readonly exact: boolean;
}

/** p99 of a publish while 1,000 events a second flow, alone and while the completed rows of a week ago are pruned. */
export async function prune(db: string, rows: number): Promise<PruneFigures> {
  return onDatabase(db, async (database) => {
    const app = await benchApp({ dataSource: database.options });
    try {
      const { publisher, maintenance } = app;
      await fillHistory(database, rows, LONG_AGO);
      await flow(publisher, after(1_000));
      const idleP99 = await flow(publisher, after(IDLE_MS));
      const startedAt = performance.now();
      const pruning = maintenance.prune();
      const besideP99 = await flow(publisher, Promise.race([pruning, after(LONGEST_BESIDE_MS)]));
      maintenance.stop();
      await pruning;
      const prunedMs = performance.now() - startedAt;
      const events = await database.count(`inbox where received_at = ${LONG_AGO}`);
      const history = await database.count(`completion where finished_at = ${LONG_AGO}`);
      const prunedRows = 2 * rows - events - history;
      return {
        db,
        rows,
        prunedRows,
        idleP99Ms: round(idleP99),
        prunedP99Ms: round(besideP99),
        ratio: round(besideP99 / idleP99),
        prunedRows_s: perSecond(prunedRows, prunedMs),
        // History goes first, and no event before its own.
        exact: prunedRows > 0 && history <= events,
      };
    } finally {
      await app.close();
    }
  });
}

/** Publishes singly at a steady pace until then; answers the p99 of the publishes, in milliseconds. */
async function flow(publisher: EventPublisher, until: Promise<unknown>): Promise<number> {
  const latencies: number[] = [];
  const publishes = new Set<Promise<void>>();
  const publish = async () => {
    const startedAt = performance.now();
    await publisher.publish('bench.0', PAYLOAD);
    latencies.push(performance.now() - startedAt);
  };
  const startedAt = performance.now();
  let published = 0;
  const timer = setInterval(() => {
    for (; published < ((performance.now() - startedAt) * PER_SECOND) / 1_000; published++) {
      const one = publish().finally(() => publishes.delete(one));
      publishes.add(one);
    }
  }, TICK_MS);
  await until;
  clearInterval(timer);
  await Promise.all(publishes);
  return latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? NaN;
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
