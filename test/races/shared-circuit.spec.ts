/** A circuit breaker that real processes share through one database: opened, tried, closed, survived. */
import { describe, expect, it } from 'vitest';
import { ChainCluster, payloads, whenTrue } from '../support/chain-cluster.js';
import type { ChainNode } from '../support/chain-node.js';
import { databaseKinds } from '../support/database-kinds.js';

/** A second is the promise, and exact on the fake clock; processes that wait for a CPU get some time more. */
const LOADED_MS = 8_000;

const EVENTS = 100;
const CONCURRENCY = 4;
const retry = { maxAttempts: 1_000, backoff: 'fixed', initialDelay: 50, jitter: 'none' } as const;
const circuit = { failureThreshold: 5, successThreshold: 3, halfOpenConcurrency: 1 } as const;
/** Nodes measure their database's clock to within some milliseconds. */
const CLOCK_MS = 20;

describe.concurrent.each(databaseKinds)('a circuit shared by the nodes of one $name database', (kind) => {
  it('opens on all nodes within a second, tries with few, and lets the backlog through when it closes', async () => {
    const openMs = 2_000;
    const options = {
      handler: {
        concurrency: CONCURRENCY,
        retry,
        circuit: { ...circuit, openDuration: openMs, successThreshold: 4, halfOpenConcurrency: 2 },
      },
    };
    await ChainCluster.run(kind, options, async (cluster, database) => {
      const nodes = await cluster.startTwo();
      const [failing, other] = nodes;
      // It sees no failure of its own.
      await other.call('pauseNode');
      await database.control({ down: true, workMs: 5 });
      await failing.call('publish', payloads(0, EVENTS));
      const shownAt = await whenTrue(() => showsOpen(other));
      await other.call('resumeNode');
      const { openedAt } = await database.circuit();
      console.log(`${kind.name}: the other node showed the open circuit after ${shownAt - openedAt} ms`);
      expect(shownAt - openedAt).toBeLessThan(LOADED_MS);
      // The backlog waits, and nothing has died of it.
      expect(await database.count('event_delivery')).toBe(EVENTS);

      // A trial fails, so it opens again; then it may succeed.
      await database.until(`runs where circuit = 'half-open' and ok = 0`, (count) => count > 0);
      await database.control({ down: false, workMs: 150 });
      await database.until(`runs where circuit = 'half-open' and ok = 1`, (count) => count >= 4);
      await database.control({ down: false, workMs: 5 });
      await database.until('event_delivery', (count) => count === 0);
      expect((await database.circuit()).state).toBe('closed');
      await Promise.all(nodes.map((node) => whenTrue(async () => (await node.call('stats'))?.circuit === 'closed')));

      const runs = await database.runs();
      const untilTrials = runs.filter(({ startedAt }) => startedAt < openedAt + openMs - CLOCK_MS);
      expect(untilTrials.filter(({ pid, startedAt }) => pid !== failing.pid || startedAt > shownAt)).toEqual([]);
      expect(await database.mostAtOnce(`circuit = 'half-open'`, 'cluster')).toBe(2);
      const trials = runs.filter((run) => run.circuit === 'half-open' && run.ok).length;
      // The fourth success closes it; one trial more may be under way by then.
      expect(trials).toBeGreaterThanOrEqual(4);
      expect(trials).toBeLessThanOrEqual(5);
      expect(await database.mostAtOnce('1 = 1', 'node')).toBeLessThanOrEqual(CONCURRENCY);
      expect(await successesPerEvent(database)).toEqual([1]);
      expect(await database.outcomes()).toEqual({ completed: EVENTS });
    });
  });

  it('elects no second trial before the node that died with the first is rescued, then the next', async () => {
    const options = {
      events: { lease: '6s' },
      handler: { concurrency: CONCURRENCY, retry, circuit: { ...circuit, openDuration: 500 } },
    } as const;
    await ChainCluster.run(kind, options, async (cluster, database) => {
      const nodes = await cluster.startTwo();
      await database.control({ down: true, workMs: 5 });
      await nodes[0].call('publish', payloads(0, EVENTS));
      await database.until(`event_handler where name = 'work' and circuit_state = 'open'`, (count) => count === 1);
      // Whoever hangs from now on is a trial.
      await database.until('event_delivery where lease_node is not null', (count) => count === 0);
      await database.control({ down: false, workMs: 600_000 });
      await database.until(`runs where circuit = 'half-open' and ended_at is null`, (count) => count > 0);
      const [hanging] = await database.runs(`circuit = 'half-open' and ended_at is null`);
      const [holder, survivor] = nodes[0].pid === hanging.pid ? nodes : [nodes[1], nodes[0]];
      expect(holder.pid).toBe(hanging.pid);
      await holder.kill('SIGKILL');
      const killedAt = Date.now();
      await database.control({ down: false, workMs: 5 });
      await database.until('event_delivery', (count) => count === 0);

      // Trials that were under way with it, or came after it.
      const others = `(ended_at is null or ended_at > ${hanging.startedAt}) and pid <> ${holder.pid}`;
      const trials = await database.runs(`circuit = 'half-open' and ${others}`);
      console.log(`${kind.name}: the next trial was elected ${trials[0].startedAt - killedAt} ms after the kill`);
      // The dead node is registered until the transaction that frees its trial.
      expect(trials.map(({ pid, nodes, ok }) => ({ pid, nodes, ok }))).toEqual(
        Array.from({ length: 3 }, () => ({ pid: survivor.pid, nodes: 1, ok: true })),
      );
      expect(await database.mostAtOnce(`circuit = 'half-open' and ended_at is not null`, 'cluster')).toBe(1);
      expect(survivor.log).toContain('its deliveries are rescued');
      expect(await successesPerEvent(database)).toEqual([1]);
      expect(await database.outcomes()).toEqual({ completed: EVENTS });
    });
  });

  it('is open still when all nodes were killed and one comes back, for the rest of its time', async () => {
    // Longer than a node takes to boot on a loaded machine.
    const openMs = 10_000;
    const options = { handler: { concurrency: CONCURRENCY, retry, circuit: { ...circuit, openDuration: openMs } } };
    await ChainCluster.run(kind, options, async (cluster, database) => {
      const nodes = await cluster.startTwo();
      await database.control({ down: true, workMs: 5 });
      await nodes[0].call('publish', payloads(0, EVENTS));
      await Promise.all(nodes.map((node) => whenTrue(() => showsOpen(node))));
      const timesOpened = () => Promise.all(nodes.map(async (node) => (await node.call('stats'))?.circuitOpened ?? 0));
      await whenTrue(async () => (await timesOpened()).includes(1));
      const [one, other] = await timesOpened();
      await Promise.all(nodes.map((node) => node.kill('SIGKILL')));
      const { epoch, openedAt } = await database.circuit();
      // Both were failing at once; one has opened it, the other has found it open.
      expect({ epoch, timesOpened: one + other }).toEqual({ epoch: 1, timesOpened: 1 });
      await database.control({ down: false, workMs: 5 });

      const back = await cluster.start();
      expect(await back.call('stats')).toMatchObject({ circuit: 'open', inFlight: 0, processed: 0 });
      await database.until('event_delivery', (count) => count === 0);
      const [first, second, third, ...rest] = await database.runs(`pid = ${back.pid}`);
      expect(first.startedAt).toBeGreaterThanOrEqual(openedAt + openMs - CLOCK_MS);
      expect([first, second, third].map(({ circuit }) => circuit)).toEqual(Array(3).fill('half-open'));
      expect(new Set(rest.map(({ circuit }) => circuit))).toEqual(new Set(['closed']));
      expect(await database.outcomes()).toEqual({ completed: EVENTS });
    });
  });
});

async function showsOpen(node: ChainNode): Promise<boolean> {
  return (await node.call('stats'))?.circuit === 'open';
}

/** The different numbers of successes that events have. */
async function successesPerEvent(database: ChainCluster['database']): Promise<number[]> {
  const rows = await database.rows<{ n: string | number }>(
    'select distinct n from (select count(*) as n from runs where ok = 1 group by runs.n) s',
  );
  return rows.map(({ n }) => Number(n));
}
