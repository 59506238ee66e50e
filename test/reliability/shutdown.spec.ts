/** SIGTERM and close: nothing is lost, nothing runs twice at once, nothing keeps the process alive. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/database-kinds.js';
import { WorkDatabase } from '../support/work-database.js';
import { WorkerProcess } from '../support/worker-process.js';

const RUNNING = 50;

describe.each(databaseKinds)('SIGTERM with 50 running handlers, on $name', (kind) => {
  let work: WorkDatabase;
  let worker: WorkerProcess;

  beforeEach(async () => {
    work = await WorkDatabase.create(kind);
  });
  afterEach(async () => {
    await worker.close();
    await work.drop();
  });

  async function startBusy(handlerMs: number, ignoreSignal: boolean): Promise<void> {
    worker = await WorkerProcess.start({
      dataSource: work.options,
      events: { shutdownTimeout: '2s' },
      handler: { concurrency: RUNNING },
      handlerMs,
      ignoreSignal,
    });
    await worker.publish(0, 2 * RUNNING);
    await work.until('runs', (count) => count >= RUNNING);
  }

  it('lets them end, and gives back what has not begun', async () => {
    await startBusy(800, false);
    const end = await worker.kill('SIGTERM');
    expect(end.tookMs).toBeLessThan(5_000);
    const done = await work.count('event_completion');
    expect(done).toBe(await work.count('runs'));
    expect(await work.count('event_delivery where lease_node is null and attempts = 0 and crashes = 0')).toBe(
      2 * RUNNING - done,
    );
    expect(await work.count('event_node')).toBe(0);
  });

  it('aborts after shutdownTimeout those that heed their signal, and gives them back without a charge', async () => {
    await startBusy(60_000, false);
    const end = await worker.kill('SIGTERM');
    expect(end.tookMs).toBeGreaterThanOrEqual(1_900);
    expect(end.tookMs).toBeLessThan(8_000);
    expect(await work.count('event_delivery where lease_node is null and attempts = 0 and crashes = 0')).toBe(
      2 * RUNNING,
    );
    expect(await work.count('event_completion')).toBe(0);
  });

  it('gives back those too that do not heed it', async () => {
    await startBusy(60_000, true);
    const end = await worker.kill('SIGTERM');
    expect(end.tookMs).toBeLessThan(8_000);
    expect(await work.count('event_delivery where lease_node is null and attempts = 0 and crashes = 0')).toBe(
      2 * RUNNING,
    );
  });

  it('leaves no open handle: after app.close() the process ends by itself', async () => {
    await startBusy(100, false);
    await worker.close();
    expect(worker.log).toBe('');
  });
});
