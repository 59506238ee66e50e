/** A node dies by SIGKILL in the middle of its work, on real databases and in real processes. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/database-kinds.js';
import { WorkDatabase } from '../support/work-database.js';
import { WorkerProcess } from '../support/worker-process.js';

const DELIVERIES = 1_000;

describe.each(databaseKinds)('a node killed in the middle of 1,000 deliveries, on $name', (kind) => {
  let work: WorkDatabase;
  const workers: WorkerProcess[] = [];

  beforeEach(async () => {
    work = await WorkDatabase.create(kind);
  });
  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.close();
    await work.drop();
  });

  async function start(lease: `${number}s`): Promise<WorkerProcess> {
    const worker = await WorkerProcess.start({
      dataSource: work.options,
      events: { lease, shutdownTimeout: '3s', pollInterval: '200ms' },
      handler: { concurrency: 20, retry: { maxAttempts: 5, initialDelay: 20 } },
      handlerMs: 5,
      effects: true,
    });
    workers.push(worker);
    return worker;
  }

  async function expectAllDoneOnce(): Promise<void> {
    expect(await work.count('event_completion')).toBe(DELIVERIES);
    expect(await work.count('event_dead_letter')).toBe(0);
    expect(await work.count('effects')).toBe(DELIVERIES);
    expect(await work.count('(select distinct n from effects) e')).toBe(DELIVERIES);
    // Whoever ran it last knows of the attempt that was lost: one more than the first.
    const lost = await work.count('event_completion where attempts = 2');
    expect(lost).toBeGreaterThan(0);
    expect(await work.count('event_completion where attempts > 2')).toBe(0);
    const [row] = await work.rows<{ errors: string }>('select errors from event_completion where attempts = 2 limit 1');
    expect(JSON.parse(row?.errors ?? '{}')).toMatchObject({ name: 'node-lost', attempt: 1 });
  }

  it('loses nothing: its successor on the same host takes over at once', async () => {
    const first = await start('30s');
    await first.publish(0, DELIVERIES);
    await work.until('effects', (count) => count >= 200);
    expect((await first.kill('SIGKILL')).signal).toBe('SIGKILL');
    expect(await work.count('event_delivery')).toBeGreaterThan(0);
    // Killed between a write and its commit: neither the effect nor the completion is there, never one without the other.
    expect(await work.count('effects')).toBe(await work.count('event_completion'));

    await start('30s');
    await work.until('event_delivery', (count) => count === 0);
    await expectAllDoneOnce();
  });

  it('loses nothing: another node notices that its beat has stopped', async () => {
    const first = await start('6s');
    const second = await start('6s');
    await first.publish(0, DELIVERIES);
    await work.until(`runs where pid = ${first.pid}`, (count) => count >= 100);
    await first.kill('SIGKILL');

    await work.until('event_delivery', (count) => count === 0);
    await expectAllDoneOnce();
    expect(second.log).toContain('its deliveries are rescued');
  });
});
