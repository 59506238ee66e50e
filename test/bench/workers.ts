import type { DataSourceOptions } from 'typeorm';
import { benchApp, perSecond, publishMany, round, timed } from './bench-app.js';
import { onDatabase } from './bench-database.js';
import { BenchWorker } from './bench-worker.js';
import { until } from './until.js';

const ROUNDS = 3;

export interface WorkersFigures {
  readonly oneWorker_s: number;
  readonly twoWorkers_s: number;
  readonly workersRatio: number;
  readonly exact: boolean;
}

/**
 * The drain of what waits by one process, and of as much by two that begin together; in turn, the fastest of each. Exact:
 * as many runs as events and as many completions, and each process has had some of the runs.
 */
export async function workers(db: string, events: number): Promise<WorkersFigures> {
  let [oneWorker, twoWorkers] = [0, 0];
  let exact = true;
  for (let round = 0; round < ROUNDS; round++) {
    const [one, two] = [await drain(db, events, 1), await drain(db, events, 2)];
    oneWorker = Math.max(oneWorker, one.perSecond);
    twoWorkers = Math.max(twoWorkers, two.perSecond);
    exact &&= one.exact && two.exact;
  }
  return { oneWorker_s: oneWorker, twoWorkers_s: twoWorkers, workersRatio: round(twoWorkers / oneWorker), exact };
}

async function drain(db: string, events: number, count: number): Promise<{ perSecond: number; exact: boolean }> {
  return onDatabase(db, async (database) => {
    const dataSource = database.options;
    const app = await benchApp({ dataSource, handlers: false }, 0);
    const nodes: DrainNode[] = [];
    try {
      // Before anything is published: events go to the handlers that are known by then.
      while (nodes.length < count) nodes.push(await DrainNode.start(dataSource));
      await publishMany(app, events);
      await database.vacuum();
      const runs = () => nodes.reduce((sum, node) => sum + node.runs, 0);
      const ms = await timed(async () => {
        for (const node of nodes) node.begin();
        await until('the runs', () => runs() >= events);
        await until('their outcomes', async () => (await database.count('delivery')) === 0);
      });
      for (const node of nodes) await node.end();
      const allWorked = nodes.every((node) => node.runs > 0);
      const ranOnce = runs() === events && (await database.count('completion')) === events;
      return { perSecond: perSecond(events, ms), exact: allWorked && ranOnce };
    } finally {
      for (const node of nodes) await node.stop();
      await app.close();
    }
  });
}

/** A node that rests until it is told to begin, and the number of its runs as last told. */
class DrainNode {
  runs = 0;
  private ended = false;

  private constructor(private readonly worker: BenchWorker) {
    worker.onTold = (told) => {
      if (told === 'ended') this.ended = true;
      else this.runs = Number(told);
    };
  }

  static async start(dataSource: DataSourceOptions): Promise<DrainNode> {
    return new DrainNode(await BenchWorker.start('drain-node.worker.js', dataSource));
  }

  begin(): void {
    this.worker.tell('begin');
  }

  /** After this, `runs` are all it has ever had. */
  async end(): Promise<void> {
    this.worker.tell('end');
    await until('the end of a worker', () => this.ended);
  }

  stop(): Promise<void> {
    return this.worker.stop();
  }
}
