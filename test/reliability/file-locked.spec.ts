/** SQLite: another program holds the file's write lock for many seconds, longer than a lease. */
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sqliteKind } from '../support/database-kinds.js';
import { expectGoneOn, LONG, OPTIONS, workBefore } from '../support/outage.js';
import { events, SturdyScene } from '../support/sturdy-scene.js';

let scene: SturdyScene;
beforeEach(async () => {
  scene = await SturdyScene.create(sqliteKind);
});
afterEach(() => scene.end());

it('a node whose file is locked waits without harm, says so, and goes on by itself', async () => {
  const node = await scene.start(scene.config(OPTIONS));
  await workBefore(scene, node);

  const { database } = scene.work.options as { database: string };
  const other = new Database(database, { timeout: 20_000 });
  other.exec('begin immediate');
  const [before, lockedAt] = [await node.call('usage'), performance.now()];
  const publishing = node.call('publish', events(100, 101, 'effect'));
  // What runs is stopped before somebody else may run it.
  await scene.runs.until('is aborted', LONG);
  let health = await node.call('health');
  while (health.status === 'up' && performance.now() - lockedAt < 60_000) {
    health = await node.call('health');
    expect(health.tookMs).toBeLessThan(6_000);
  }
  expect(health).toMatchObject({ status: 'down', live: 'up', message: 'loops are stalled' });
  const refused = await publishing;
  expect(refused.result).toBe('EVENTS_STORE_BUSY');
  expect(refused.tookMs).toBeLessThan(30_000);
  const [after, lockedMs] = [await node.call('usage'), performance.now() - lockedAt];
  expect(after.cpuMs - before.cpuMs).toBeLessThan(0.6 * lockedMs);
  expect(after.heldMb - before.heldMb).toBeLessThan(100);

  await node.call('letGo');
  other.exec('commit');
  other.close();
  await expectGoneOn(scene, node);
});
