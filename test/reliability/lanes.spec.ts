/** Nodes die by SIGKILL in the middle of runs: each lane's effects are there once, in publish order. Real processes and databases. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/database-kinds.js';
import { WorkDatabase } from '../support/work-database.js';
import { WorkerProcess } from '../support/worker-process.js';

const DELIVERIES = 1_200;
const LANES = 12;
/** In the middle of lanes of their own; whoever runs them first dies in it. */
const DEADLY = [LANES * 20, LANES * 60 + 5];

/** Behind `integer primary key`. */
const AUTO = {
  sqlite: 'autoincrement',
  postgres: 'generated always as identity',
  mariadb: 'auto_increment',
} as const;

describe.each(databaseKinds)('three nodes on $name, two of them killed in the middle of runs', (kind) => {
  let work: WorkDatabase;
  const workers: WorkerProcess[] = [];

  beforeEach(async () => {
    const id = `id integer primary key ${AUTO[kind.name]}`;
    work = await WorkDatabase.create(kind, [
      `create table runs (${id}, n integer not null, pid integer not null, attempt integer not null)`,
      `create table effects (${id}, n integer not null, pid integer not null)`,
    ]);
  });
  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.close();
    await work.drop();
  });

  async function start(): Promise<WorkerProcess> {
    const worker = await WorkerProcess.start({
      dataSource: work.options,
      events: { lease: '6s', shutdownTimeout: '3s', pollInterval: '100ms' },
      handler: { ordering: true, concurrency: 4, retry: { maxAttempts: 5, initialDelay: 20 } },
      handlerMs: 2,
      effects: true,
      lanes: LANES,
      waitForDeath: DEADLY,
    });
    workers.push(worker);
    return worker;
  }

  /** Kills whoever runs an event. */
  async function killRunner(n: number): Promise<void> {
    await work.until(`runs where n = ${n}`, (count) => count > 0);
    const [{ pid }] = await work.rows<{ pid: number }>(`select pid from runs where n = ${n}`);
    await workers.find((worker) => worker.pid === pid)?.kill('SIGKILL');
  }

  it('every lane goes on where it was, in its order, with nothing lost and nothing twice', async () => {
    const [first] = [await start(), await start()];
    await first.publish(0, DELIVERIES);
    for (const n of DEADLY) {
      await killRunner(n);
      await start();
    }
    await work.until('event_delivery', (count) => count === 0, 120_000);

    const effects = await work.rows<{ n: number }>('select n from effects order by id');
    const runs = await work.rows<{ n: number }>('select n from runs order by id');
    const inLane = (rows: readonly { n: number }[], lane: number) =>
      rows.map(({ n }) => n).filter((n) => n % LANES === lane);
    for (let lane = 0; lane < LANES; lane++) {
      const published = Array.from({ length: DELIVERIES / LANES }, (_, index) => index * LANES + lane);
      expect(inLane(effects, lane)).toEqual(published);
      // What ran twice ran again before anything behind it.
      const ran = inLane(runs, lane);
      expect(ran).toEqual(ran.toSorted((a, b) => a - b));
    }
    expect(await work.count('event_dead_letter')).toBe(0);
    // Of a run only its head can have been under way: no more lanes were hit by two deaths than there are.
    const crashed = await work.count("event_completion where errors like '%node-lost%'");
    expect(crashed).toBeGreaterThanOrEqual(DEADLY.length);
    expect(crashed).toBeLessThanOrEqual(2 * LANES);
  });
});
