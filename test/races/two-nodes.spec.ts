/** Two processes share the work of one database. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/database-kinds.js';
import { WorkDatabase } from '../support/work-database.js';
import { WorkerProcess } from '../support/worker-process.js';

const DELIVERIES = 5_000;

describe.each(databaseKinds)('two nodes on one $name database', (kind) => {
  let work: WorkDatabase;
  let workers: WorkerProcess[] = [];

  beforeEach(async () => {
    work = await WorkDatabase.create(kind);
  });
  afterEach(async () => {
    for (const worker of workers) await worker.close();
    workers = [];
    await work.drop();
  });

  it('run each of 5,000 deliveries once, and both take part', async () => {
    const config = { dataSource: work.options, events: { pollInterval: '50ms' as const }, handlerMs: 2 };
    // Both start at once on an empty database: their migrations must not collide either.
    workers = await Promise.all([WorkerProcess.start(config), WorkerProcess.start(config)]);
    await Promise.all(
      workers.map((worker, index) => worker.publish((index * DELIVERIES) / 2, ((index + 1) * DELIVERIES) / 2)),
    );
    await work.until('event_delivery', (count) => count === 0);

    expect(await work.count('event_completion')).toBe(DELIVERIES);
    expect(await work.count('runs')).toBe(DELIVERIES);
    expect(await work.count('(select distinct n from runs) r')).toBe(DELIVERIES);
    for (const { pid } of workers) expect(await work.count(`runs where pid = ${pid}`)).toBeGreaterThan(0);
  });
});
