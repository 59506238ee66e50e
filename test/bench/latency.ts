import type { DataSourceOptions } from 'typeorm';
import type { EventPublisher, EventsModuleOptions } from '../../libs/events/src/index.js';
import { benchApp, PAYLOAD, round } from './bench-app.js';
import { onDatabase } from './bench-database.js';
import { BenchWorker } from './bench-worker.js';
import { until } from './until.js';

const PUBLISHES = 300;

export interface LatencyFigures {
  readonly latencyP50Ms: number;
  readonly latencyP99Ms: number;
  /** Null where other nodes are not woken. */
  readonly crossNodeP50Ms: number | null;
  readonly exact: boolean;
}

/** From the call of `publish` to the begin of the handler, on an idle node; and on another node that was woken. */
export async function latency(db: string): Promise<LatencyFigures> {
  if (db === 'memory') return { ...(await here({ store: 'memory' })), crossNodeP50Ms: null };
  return onDatabase(db, async ({ options: dataSource }) => {
    const own = await here({ dataSource });
    const crossNodeP50Ms = db === 'postgres' ? await elsewhere(dataSource) : null;
    return { ...own, crossNodeP50Ms };
  });
}

async function here(options: EventsModuleOptions): Promise<Omit<LatencyFigures, 'crossNodeP50Ms'>> {
  const app = await benchApp(options);
  try {
    const starts = new Starts();
    app.onRun = () => starts.begun(process.hrtime.bigint());
    const { p50, p99 } = await measure(app.publisher, starts);
    const completed = () => app.stats.snapshot().total.completed;
    await until('the last outcome', () => completed() >= PUBLISHES);
    return { latencyP50Ms: p50, latencyP99Ms: p99, exact: app.runs === PUBLISHES && completed() === PUBLISHES };
  } finally {
    await app.close();
  }
}

/** The clock is the machine's: another process on it tells when its handler began. */
async function elsewhere(dataSource: DataSourceOptions): Promise<number> {
  const worker = await BenchWorker.start('bench-node.worker.js', dataSource);
  const app = await benchApp({ dataSource, handlers: false }, 0);
  try {
    const starts = new Starts();
    worker.onTold = (at) => starts.begun(BigInt(at));
    return (await measure(app.publisher, starts)).p50;
  } finally {
    await worker.stop();
    await app.close();
  }
}

async function measure(publisher: EventPublisher, starts: Starts): Promise<{ p50: number; p99: number }> {
  const all: number[] = [];
  for (let i = 0; i < PUBLISHES; i++) {
    const started = starts.next();
    const calledAt = process.hrtime.bigint();
    await publisher.publish('bench.0', PAYLOAD);
    all.push(Number((await started) - calledAt) / 1e6);
  }
  all.sort((a, b) => a - b);
  const at = (share: number) => round(all[Math.floor(all.length * share)] ?? NaN);
  return { p50: at(0.5), p99: at(0.99) };
}

/** When handlers begin, to be waited for one by one. */
class Starts {
  private resolve: (at: bigint) => void = () => {};

  begun(at: bigint): void {
    this.resolve(at);
  }

  next(): Promise<bigint> {
    return new Promise((resolve) => (this.resolve = resolve));
  }
}
