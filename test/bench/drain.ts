import type { EventsModuleOptions } from '../../libs/events/src/index.js';
import { benchApp, perSecond, publishMany, PAYLOAD, timed } from './bench-app.js';
import { onDatabase } from './bench-database.js';
import { until } from './until.js';

const CALLERS = 16;
const SINGLES = 4_000;

export interface DrainFigures {
  readonly publishBulk_s: number;
  readonly publish1_s: number;
  readonly drain_s: number;
  readonly rssMb: number;
  readonly exact: boolean;
}

/**
 * Publishes in bulk, and one by one from 16 callers, to a node that rests; then lets it work until every outcome is
 * durable. Exact: as many runs as events, as many completions, no live row.
 */
export async function drain(
  db: string,
  events: number,
  { handlers = 1, metrics = false }: { handlers?: number; metrics?: boolean } = {},
): Promise<DrainFigures> {
  const options = { metrics: { prometheus: metrics } };
  if (db === 'memory') return measure({ ...options, store: 'memory' }, events, handlers, async () => undefined);
  return onDatabase(db, (database) =>
    measure({ ...options, dataSource: database.options }, events, handlers, (table) => database.count(table)),
  );
}

async function measure(
  options: EventsModuleOptions,
  events: number,
  handlers: number,
  count: (table: string) => Promise<number | undefined>,
): Promise<DrainFigures> {
  const app = await benchApp(options, handlers);
  try {
    const { node, publisher, stats } = app;
    await node.pause();
    const bulkMs = await timed(() => publishMany(app, events, handlers));
    const caller = async () => {
      for (let i = 0; i < SINGLES / CALLERS; i++) await publisher.publish('bench.0', PAYLOAD);
    };
    const singlesMs = await timed(() => Promise.all(Array.from({ length: CALLERS }, caller)));
    const total = events + SINGLES;
    const completed = () => stats.snapshot().total.completed;
    const drainMs = await timed(async () => {
      await node.resume();
      await until('the runs', () => app.runs >= total);
      await until('their outcomes', async () => completed() >= total && ((await count('delivery')) ?? 0) === 0);
    });
    const rssMb = Math.round(process.memoryUsage.rss() / 2 ** 20);
    const history = (await count('completion')) ?? total;
    return {
      publishBulk_s: perSecond(events, bulkMs),
      publish1_s: perSecond(SINGLES, singlesMs),
      drain_s: perSecond(total, drainMs),
      rssMb,
      exact: app.runs === total && completed() === total && history === total,
    };
  } finally {
    await app.close();
  }
}
