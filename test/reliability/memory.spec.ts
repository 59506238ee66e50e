/** A large backlog costs no memory: claims are bounded, history is written, nothing piles up. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/database-kinds.js';
import { WorkDatabase } from '../support/work-database.js';
import { WorkerProcess } from '../support/worker-process.js';

const DELIVERIES = 200_000;

describe.each(databaseKinds)('200,000 pending deliveries, on $name', (kind) => {
  let work: WorkDatabase;
  let worker: WorkerProcess | undefined;

  beforeEach(async () => {
    work = await WorkDatabase.create(kind);
  });
  afterEach(async () => {
    await worker?.close();
    await work.drop();
  });

  it('drain in less than 250 MB', async () => {
    // The publishing process is another one, so that its garbage is not counted.
    const quiet = { dataSource: work.options, record: false };
    const publisher = await WorkerProcess.start({ ...quiet, events: { handlers: true }, paused: true });
    await publisher.publish(0, DELIVERIES);
    await publisher.close();
    expect(await work.count('event_delivery')).toBe(DELIVERIES);

    worker = await WorkerProcess.start(quiet);
    let highestMb = 0;
    const deadline = performance.now() + 120_000;
    for (let left = DELIVERIES; left > 0; left = await work.count('event_delivery')) {
      expect(performance.now()).toBeLessThan(deadline);
      highestMb = Math.max(highestMb, (await worker.stats()).rssMb);
    }
    console.log(`${kind.name}: highest RSS while draining ${DELIVERIES}: ${Math.round(highestMb)} MB`);
    expect(highestMb).toBeLessThan(250);
    expect(await work.count('event_completion')).toBe(DELIVERIES);
  });
});
