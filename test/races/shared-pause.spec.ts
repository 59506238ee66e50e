/** What an operator does on one node holds on all: pause, resume, retire, redrive, in real processes on one database. */
import { describe, expect, it } from 'vitest';
import { ChainCluster, payloads, whenTrue } from '../support/chain-cluster.js';
import type { ChainDatabase } from '../support/chain-database.js';
import type { ChainNode } from '../support/chain-node.js';
import { databaseKinds } from '../support/database-kinds.js';

/** A second is the promise, and exact on the fake clock; processes that wait for a CPU get some time more. */
const LOADED_MS = 8_000;

const EVENTS = 200;
/** More than one statement expires. */
const WAITING = 1_500;
const LETTERS = 100;
const ROUNDS = 3;

describe.concurrent.each(databaseKinds)('a handler on two nodes of one $name database', (kind) => {
  it('paused on one node stops on both within a second, over their restart, until it is resumed', async () => {
    const options = { handler: { concurrency: 3 } };
    await ChainCluster.run(kind, options, async (cluster, database) => {
      const nodes = await cluster.startTwo();
      await database.control({ down: false, workMs: 50 });
      await nodes[0].call('publish', payloads(0, EVENTS));
      for (const { pid } of nodes) await database.until(`runs where pid = ${pid}`, (count) => count >= 10);
      const pausedAt = Date.now();
      await nodes[0].call('pause');
      const shownAt = await Promise.all(nodes.map((node) => whenTrue(() => showsPaused(node))));
      // What ran has ended, what had not begun is given back.
      await database.until('event_delivery where lease_node is not null', (count) => count === 0);
      const before = await database.runs();
      const lastMs = nodes.map(
        ({ pid }) => Math.max(...before.filter((run) => run.pid === pid).map((run) => run.startedAt)) - pausedAt,
      );
      console.log(
        `${kind.name}: last runs ${lastMs.join(' and ')} ms after pause(); shown after ${shownAt.map((at) => at - pausedAt).join(' and ')} ms`,
      );
      for (const ms of [...lastMs, ...shownAt.map((at) => at - pausedAt)]) expect(ms).toBeLessThan(LOADED_MS);
      expect(await database.count('event_delivery')).toBeGreaterThan(0);
      await expectBothClaimOthers(nodes, database);
      expect(await database.runs()).toEqual(before);

      await cluster.close();
      const restarted = await cluster.startTwo();
      for (const node of restarted) expect(await showsPaused(node)).toBe(true);
      await expectBothClaimOthers(restarted, database);
      expect(await database.runs()).toEqual(before);

      // Slow until both have begun again: the one that resumes must not be through before the other has heard of it.
      await database.control({ down: false, workMs: 200 });
      await restarted[1].call('resume');
      for (const { pid } of restarted) await database.until(`runs where pid = ${pid}`, (count) => count > 0);
      await database.control({ down: false, workMs: 5 });
      await database.until(`event_delivery where handler = 'work'`, (count) => count === 0);
      const runs = await database.runs();
      expect(runs.length).toBe(EVENTS);
      expect(new Set(runs.map(({ n }) => n)).size).toBe(EVENTS);
      expect(await database.outcomes()).toEqual({ completed: EVENTS });
    });
  });

  it('retired by both at once leaves each waiting delivery as one dead letter, and gets nothing new', async () => {
    await ChainCluster.run(kind, {}, async (cluster, database) => {
      const nodes = await cluster.startTwo();
      await nodes[0].call('pause');
      await nodes[1].call('publish', payloads(0, WAITING));
      await Promise.all(nodes.map((node) => node.call('retire')));
      expect(await database.count('event_delivery')).toBe(0);
      expect(await database.count('event_dead_letter')).toBe(WAITING);
      expect(
        await database.count(`(select distinct event_seq from event_dead_letter where reason = 'expired') d`),
      ).toBe(WAITING);

      await nodes[1].call('publish', payloads(WAITING, WAITING + 10));
      await database.until('event_inbox where fanned_out_at is null', (count) => count === 0);
      await expectBothClaimOthers(nodes, database);
      expect(await database.count(`event_delivery where handler = 'work'`)).toBe(0);
      expect(await database.runs()).toEqual([]);
    });
  });

  it('has each of its dead letters redriven once when two operators do it at once', async () => {
    const options = { handler: { retry: false, circuit: false } } as const;
    await ChainCluster.run(kind, options, async (cluster, database) => {
      const nodes = await cluster.startTwo();
      await database.control({ down: true, workMs: 0 });
      await nodes[0].call('publish', payloads(0, LETTERS));
      for (let round = 1; round <= ROUNDS; round++) {
        await database.until('event_dead_letter', (count) => count === LETTERS);
        expect(await database.count('runs')).toBe(round * LETTERS);
        // What is redriven waits to be counted.
        await nodes[0].call('pause');
        const counts = await Promise.all(nodes.map((node) => node.call('redrive', { handler: 'work' })));
        expect(counts[0] + counts[1]).toBe(LETTERS);
        expect(await database.count('event_dead_letter')).toBe(0);
        expect(await database.count('event_delivery')).toBe(LETTERS);
        if (round === ROUNDS) await database.control({ down: false, workMs: 0 });
        await nodes[1].call('resume');
      }
      await database.until('event_delivery', (count) => count === 0);
      expect(await database.outcomes()).toEqual({ completed: LETTERS });
      expect(await database.count('runs')).toBe((ROUNDS + 1) * LETTERS);
    });
  });
});

async function showsPaused(node: ChainNode): Promise<boolean> {
  return (await node.call('stats'))?.paused === true;
}

/** Waits until each of them has claimed something of another handler: it would have claimed for this one too. */
async function expectBothClaimOthers(nodes: readonly ChainNode[], database: ChainDatabase): Promise<void> {
  await database.rows('delete from probes');
  for (const node of nodes) {
    await whenTrue(async () => {
      // It wakes itself at once, so it mostly gets its own.
      await node.call('probe');
      return (await database.count(`probes where pid = ${node.pid}`)) > 0;
    });
  }
}
