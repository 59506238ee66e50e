/**
 * The database server goes away: it refuses, it says nothing, it cuts connections in the middle. A proxy stands between
 * the node and the server, so that nobody else notices.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSourceOptions } from 'typeorm';
import { describe, expect, it } from 'vitest';
import type { RetryOptions } from '../../libs/events/src/index.js';
import { type DatabaseKind, databaseKinds } from '../support/database-kinds.js';
import { expectGoneOn, LONG, OPTIONS, workBefore } from '../support/outage.js';
import { events, SturdyScene } from '../support/sturdy-scene.js';
import { SturdyNode } from '../support/sturdy-node.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { typeormHarness } from '../support/typeorm-harness.js';

const servers = databaseKinds.filter(({ name }) => name !== 'sqlite');
interface Place {
  readonly scene: SturdyScene;
  readonly proxy: TcpProxy;
  /** A node behind the proxy. */
  readonly start: (retry?: RetryOptions) => Promise<SturdyNode>;
}

/** So many transactions of handlers are under way at once that each cut meets some. */
const wide = (options: DataSourceOptions): DataSourceOptions => ({ ...options, poolSize: 10 }) as DataSourceOptions;

async function behindProxy(kind: DatabaseKind, work: (place: Place) => Promise<void>): Promise<void> {
  await SturdyScene.run(kind, async (scene) => {
    const proxy = await TcpProxy.before(scene.work.options);
    const start = (retry: RetryOptions = {}) => {
      const handler = { ...OPTIONS.handler, retry: { ...OPTIONS.handler.retry, ...retry } };
      return scene.start(scene.config({ ...OPTIONS, handler }, proxy.through(wide(scene.work.options))));
    };
    try {
      await work({ scene, proxy, start });
    } finally {
      await proxy.close();
    }
  });
}

// They mostly wait.
describe.concurrent.each(servers)('a node whose database is away, on $name', (kind) => {
  it.each(['refuse', 'silent'] as const)('%s: waits without harm, says so, and goes on by itself', async (mode) => {
    await behindProxy(kind, async ({ scene, proxy, start }) => {
      const node = await start();
      await workBefore(scene, node);

      proxy.set(mode);
      const attempts = proxy.attempts;
      const [before, awayAt] = [await node.call('usage'), performance.now()];
      const health = await node.call('health');
      expect(health).toMatchObject({
        status: 'down',
        live: 'up',
        message: expect.stringContaining('database') as string,
      });
      expect(health.tookMs).toBeLessThan(6_000);
      // What runs is stopped before somebody else may run it.
      await scene.runs.until('is aborted', LONG);
      const refused = await node.call('publish', events(100, 101, 'effect'));
      expect(refused.result).toBe('EVENTS_STORE_UNAVAILABLE');
      expect(refused.tookMs).toBeLessThan(20_000);
      const [after, awayMs] = [await node.call('usage'), performance.now() - awayAt];
      expect(after.cpuMs - before.cpuMs).toBeLessThan(0.5 * awayMs);
      expect(proxy.attempts - attempts).toBeLessThan(40 + awayMs / 50);

      const flood = await node.call('publishFor', 3_000, 200, 10_000);
      expect(flood).toEqual({ stored: [], codes: ['EVENTS_STORE_UNAVAILABLE'] });
      expect((await node.call('usage')).heldMb - before.heldMb).toBeLessThan(100);

      // Restarting the process would not bring the database back.
      expect(await node.call('health')).toMatchObject({ status: 'down', live: 'up' });
      await node.call('letGo');
      proxy.set('pass');
      await expectGoneOn(scene, node);
    });
  });

  it('connections that are cut in the middle, again and again, lose nothing and leave nothing behind', async () => {
    await behindProxy(kind, async ({ scene, proxy, start }) => {
      // A handler whose connection is cut has failed: so often that no number of cuts can make an end of it.
      const node = await start({ maxAttempts: 1_000 });
      const published: number[] = [];
      const results = new Set<string>();
      for (let from = 0; from < 6_000; from += 300) {
        const publishing = node.call('publish', events(from, from + 300, 'effect'));
        // Whatever is under way by now is cut: a publish, a claim, a transaction of a handler, a settle.
        await sleep(from % 170);
        proxy.cut();
        const { result } = await publishing;
        results.add(result);
        if (result === 'stored') published.push(...events(from, from + 300, 'effect').map(({ n }) => n));
      }
      results.delete('stored');
      expect([...results]).toEqual(['EVENTS_STORE_UNAVAILABLE']);
      await scene.drained(120_000);
      expect(await scene.work.count('event_dead_letter')).toBe(0);
      // A publish whose answer was lost may have been committed: then it is delivered like any other.
      const rows = await scene.work.rows<{ n: number }>('select n from effects');
      const delivered = new Set(rows.map(({ n }) => n));
      expect(published.filter((n) => !delivered.has(n))).toEqual([]);
      expect(await scene.effects()).toBe(await scene.work.count('event_inbox'));
      expect(published.length).toBeGreaterThan(0);
      await node.healthy();
    });
  });

  it('of many connections that lead nowhere one is waited for, and then no other', async () => {
    await behindProxy(kind, async ({ scene, proxy }) => {
      const connection = proxy.through(wide(scene.work.options));
      const { store, dispose } = await typeormHarness({ connection, schema: undefined, remove: async () => undefined });
      try {
        const pings = () => Promise.all(Array.from({ length: 5 }, () => store.ping()));
        await pings();
        proxy.set('silent');
        await expect(store.ping()).rejects.toThrow('no answer');
        proxy.set('pass');
        const startedAt = performance.now();
        await pings();
        // One by one each would have taken 5 s.
        expect(performance.now() - startedAt).toBeLessThan(4_000);
      } finally {
        await dispose();
      }
    });
  });

  it.each(['refuse', 'silent'] as const)('%s: does not start, and says why', async (mode) => {
    await behindProxy(kind, async ({ scene, proxy }) => {
      proxy.set(mode);
      const { code, text } = await SturdyNode.failToStart(scene.config({}, proxy.through(wide(scene.work.options))));
      expect(code).toBe('EVENTS_STORE_UNAVAILABLE');
      expect(text).toContain('the database is not available');
    });
  });

  it.each(['refuse', 'silent'] as const)('%s: ends when it is told to', async (mode) => {
    await behindProxy(kind, async ({ proxy, start }) => {
      const node = await start();
      proxy.set(mode);
      const end = await node.kill('SIGTERM');
      // Outcomes are waited for as long as the lease holds.
      expect(end.tookMs).toBeLessThan(20_000);
    });
  });
});
