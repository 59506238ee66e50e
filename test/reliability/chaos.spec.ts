/** A minute of chaos on each database, side by side: processes are killed, stopped and cut off, and then every event is accounted for. */
import { describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/database-kinds.js';
import { ChaosRun } from './chaos/chaos-run.js';
import { reportOf, summaryOf } from './chaos/report.js';

const SECONDS = 60;

describe.concurrent.each(databaseKinds)(`${SECONDS} seconds of kills, pauses and cuts, on $name`, ({ name }) => {
  it('lose nothing, deliver nothing that was rolled back, and have each effect once', async () => {
    const result = await ChaosRun.of({ db: name, server: 'shared', seconds: SECONDS, seed: 1, json: false });
    const { events, deliveries, kills, pauses, cuts, elapsedMs, ...summary } = summaryOf(result);
    console.log(reportOf(result));
    expect(summary).toEqual({
      db: name,
      seed: 1,
      lost: 0,
      phantom: 0,
      doubleEffects: 0,
      orderViolations: 0,
      overlapping: 0,
      stuck: 0,
    });
    expect(result.crashes).toEqual([]);
    // It was a run worth its name.
    expect(Math.min(kills, pauses, cuts, result.faults.terminate)).toBeGreaterThan(0);
    expect(events).toBeGreaterThan(100);
    expect(deliveries).toBeGreaterThan(2 * events);
    expect(elapsedMs).toBeGreaterThan(SECONDS * 1_000);
  });
});
