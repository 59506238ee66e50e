/** Idempotency keys that real processes share through one database. */
import { describe, expect, it } from 'vitest';
import { ChainCluster, payloads } from '../support/chain-cluster.js';
import type { ChainDatabase } from '../support/chain-database.js';
import type { ChainNode } from '../support/chain-node.js';
import { databaseKinds } from '../support/database-kinds.js';

/** Events of each key. */
const EVENTS = 50;
/** Where nobody is killed. */
const KEYS = [
  { key: 'a', effect: false },
  { key: 'b', effect: false },
  { key: 'c', effect: true },
  { key: 'd', effect: true },
];

describe.concurrent.each(databaseKinds)('a key of 50 events on two nodes of one $name database', (kind) => {
  it('runs once, the other 49 are duplicates, with context.transaction and without', async () => {
    const perNode = (KEYS.length * EVENTS) / 2;
    const options = { handler: { concurrency: perNode }, gated: true };
    await ChainCluster.run(kind, options, async (cluster, database) => {
      const nodes = await cluster.startTwo();
      // Long enough for all others to find their key taken.
      await database.control({ down: false, workMs: 300 });
      await nodes[0].call(
        'publish',
        KEYS.flatMap((rest) => payloads(0, EVENTS, rest)),
      );
      // Half of them wait on each node, and then ask for their keys at once.
      await database.until('event_delivery where lease_node is not null', (count) => count === 2 * perNode);
      expect(await leases(database)).toEqual([perNode, perNode]);
      await database.openGate();
      await database.until('event_delivery', (count) => count === 0);

      const runs = await database.runs();
      expect(runs.map(({ ok, attempt }) => ({ ok, attempt }))).toEqual(KEYS.map(() => ({ ok: true, attempt: 1 })));
      expect(await database.outcomes()).toEqual({ completed: KEYS.length, duplicate: KEYS.length * (EVENTS - 1) });
      expect(await keys(database)).toEqual(KEYS.map(({ key }) => ({ key, state: 'completed' })));
      expect(await database.count('effects')).toBe(KEYS.filter(({ effect }) => effect).length);
    });
  });

  it('whose holder is killed runs once more, by its own delivery as soon as that is rescued', async () => {
    const options = { handler: { concurrency: EVENTS } };
    await ChainCluster.run(kind, options, async (cluster, database) => {
      const { holder, held } = await startHolding(cluster, database);
      await holder.kill('SIGKILL');
      await database.control({ down: false, workMs: 5 });
      // On the same host it is rescued at once, long before processingTtl.
      await cluster.start();
      await database.until('event_delivery', (count) => count === 0);

      const [first, ...later] = await database.runs();
      expect(first).toEqual({ ...held, endedAt: null, ok: false });
      expect(later).toMatchObject([{ n: held.n, attempt: 2, ok: true }]);
      expect(await database.outcomes()).toEqual({ completed: 1, duplicate: EVENTS - 1 });
      expect(await keys(database)).toEqual([{ key: 'k', state: 'completed' }]);
    });
  });

  it('whose holder is killed runs once more, by another delivery when processingTtl has passed', async () => {
    const options = {
      events: { lease: '6s' },
      handler: { concurrency: EVENTS, timeout: '2900ms', idempotency: { processingTtl: '3s' } },
    } as const;
    await ChainCluster.run(kind, options, async (cluster, database) => {
      const { holder, held, other } = await startHolding(cluster, database);
      await holder.kill('SIGKILL');
      const [claim] = await database.rows<{ expires_at: string | number }>('select expires_at from event_idempotency');
      await database.control({ down: false, workMs: 5 });
      await database.until('event_delivery', (count) => count === 0);

      const [first, ...later] = await database.runs();
      expect(first).toEqual({ ...held, endedAt: null, ok: false });
      // The dead node is registered still: nobody has rescued the holder's own delivery by then.
      expect(later).toMatchObject([{ pid: other.pid, nodes: 2, attempt: 1, ok: true }]);
      expect(later[0].n).not.toBe(held.n);
      expect(later[0].startedAt).toBeGreaterThanOrEqual(Number(claim.expires_at));
      expect(await database.outcomes()).toEqual({ completed: 1, duplicate: EVENTS - 1 });
      expect(await keys(database)).toEqual([{ key: 'k', state: 'completed' }]);
    });
  });
});

/** Two nodes with 50 deliveries of one key, of which one has begun and does not end. */
async function startHolding(cluster: ChainCluster, database: ChainDatabase) {
  const nodes = await cluster.startTwo();
  await database.control({ down: false, workMs: 600_000 });
  await nodes[0].call('publish', payloads(0, EVENTS, { key: 'k' }));
  await database.until('runs', (count) => count === 1);
  // The others have been put back, so that none of them dies with the holder.
  await database.until('event_delivery where lease_node is not null', (count) => count === 1);
  const [held] = await database.runs();
  const [holder, other] = (nodes[0].pid === held.pid ? nodes : nodes.toReversed()) as [ChainNode, ChainNode];
  return { holder, other, held };
}

async function keys(database: ChainDatabase): Promise<{ key: string; state: string }[]> {
  const rows = await database.rows<{ key: string | Buffer; state: string }>(
    'select i.key, i.state from event_idempotency i order by i.key',
  );
  // MariaDB keeps keys as bytes.
  return rows.map(({ key, state }) => ({ key: String(key), state }));
}

/** How many deliveries each node has in hand. */
async function leases(database: ChainDatabase): Promise<number[]> {
  const rows = await database.rows<{ n: string | number }>(
    'select count(*) as n from event_delivery where lease_node is not null group by lease_node',
  );
  return rows.map(({ n }) => Number(n));
}
