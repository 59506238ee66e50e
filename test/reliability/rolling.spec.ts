/** Twenty restarts in a row, by SIGTERM and under load, as a rolling deployment does them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/database-kinds.js';
import type { SturdyNode } from '../support/sturdy-node.js';
import { events, SturdyScene } from '../support/sturdy-scene.js';

/** The full length on the database of clusters; the others show that they can. */
const RESTARTS = { postgres: 20, sqlite: 6, mariadb: 6 } as const;
const NODES = 3;
const SHUTDOWN_MS = 10_000;
const PUBLISH_EVERY_MS = 150;
const BACKLOG = 100;

/** Some handlers take longer than a node needs to stop, some fail once, most are quick. */
const OPTIONS = {
  events: { lease: '30s', shutdownTimeout: SHUTDOWN_MS, pollInterval: '100ms' },
  handler: { concurrency: 20, circuit: false, retry: { maxAttempts: 2, initialDelay: 20 } },
} as const;

describe.each(databaseKinds)('three nodes of which one after the other is restarted under load, on $name', (kind) => {
  let scene: SturdyScene;

  beforeEach(async () => {
    scene = await SturdyScene.create(kind);
  });
  afterEach(() => scene.end());

  it('lose nothing, run nothing twice, charge nothing, and end in time', async () => {
    const publisher = await scene.start(scene.config({ ...OPTIONS, events: { ...OPTIONS.events, handlers: false } }));
    const nodes: SturdyNode[] = [];
    for (let n = 0; n < NODES; n++) nodes.push(await scene.start(scene.config(OPTIONS)));

    let published = 0;
    const done = new AbortController();
    const load = (async () => {
      while (!done.signal.aborted) {
        await sleep(PUBLISH_EVERY_MS);
        // As much as the nodes can take: a slow machine must not end with a backlog.
        if (published - scene.runs.lines('ends').length > BACKLOG) continue;
        const [from, to] = [published, published + 20];
        const mix = [...events(from, to - 2, 'effect', 10), ...events(to - 2, to, 'nothing', 300)];
        expect(await publisher.call('publish', mix)).toMatchObject({ result: 'stored' });
        published = to;
      }
    })();
    for (let restart = 0; restart < RESTARTS[kind.name]; restart++) {
      // There is work in every node's hands.
      const seen = scene.runs.lines('ends').length;
      await scene.runs.untilSome('ends', seen + 20);
      const node = nodes.shift() as SturdyNode;
      const { code, signal, tookMs } = await node.kill('SIGTERM');
      // Nest ends the process by the signal that it was sent, once every hook has run.
      expect({ code, signal }).toEqual({ code: null, signal: 'SIGTERM' });
      expect(tookMs).toBeLessThan(SHUTDOWN_MS);
      expect(node.log).not.toMatch(/ERROR|are aborted|declared dead/);
      nodes.push(await scene.start(scene.config(OPTIONS)));
    }
    done.abort();
    await load;
    await scene.drained();

    expect(await scene.work.count('event_completion')).toBe(published);
    expect(await scene.work.count('event_completion where attempts > 1')).toBe(0);
    expect(await scene.work.count('event_dead_letter')).toBe(0);
    expect(await scene.effects()).toBe((published * 18) / 20);
    // Every run that began has ended, once an event: nothing was cut off, nothing was repeated.
    expect(scene.runs.lines('begins')).toHaveLength(published);
    expect(scene.runs.lines('ends')).toHaveLength(published);
    expect(scene.runs.overlapping()).toEqual([]);
  }, 300_000);
});
