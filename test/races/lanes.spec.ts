/** Scope: lanes under real concurrency: producers that overlap on many connections, nodes that claim at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventStore } from '../../libs/events/src/store/event-store.js';
import { leaseOf } from '../../libs/events/src/store/lease-of.js';
import { keyed, ORDERED } from '../../libs/events/src/testing/store-contract/lane-scene.js';
import { COMPLETED, DEAD, failure, join, T0 } from '../../libs/events/src/testing/store-contract/scene.js';
import { sharedDatabases } from '../support/databases.js';
import { type TypeOrmHarness, typeormHarness } from '../support/typeorm-harness.js';

const KEYS = ['a', 'b', 'c', 'd', 'e'];

/** What one lane has been seen to do, by all nodes. */
interface Lane {
  running: number;
  readonly completed: number[];
}

describe.each(sharedDatabases)('lanes on %s', (_, make) => {
  let harness: TypeOrmHarness;

  beforeEach(async () => {
    harness = await typeormHarness(make());
  });
  afterEach(() => harness.dispose());

  /** Transactions that hold what they have published for a while, each with several keys in one order; some roll back. */
  async function produce(store: EventStore, name: string, count: number): Promise<void> {
    const { version: registryVersion } = await store.loadRegistry();
    for (let index = 0; index < count; index++) {
      const keys = KEYS.filter((_key, place) => (index + place) % 2 === 0);
      const events = keys.map((key) => keyed(`${name}-${index}-${key}`, key));
      const publishing = store.transaction(async (manager) => {
        await store.append({ events, registryVersion, now: T0 }, manager);
        await sleep(index % 3);
        if (index % 7 === 6) throw new Error('rolled back');
      });
      await publishing.catch((error: unknown) => {
        if (index % 7 !== 6) throw error;
      });
    }
  }

  const published = (count: number) =>
    KEYS.map((_key, place) =>
      Array.from({ length: count }, (_one, index) => index).filter(
        (index) => (index + place) % 2 === 0 && index % 7 !== 6,
      ),
    ).flat().length;

  it('twelve producers whose transactions overlap: what is committed later is later in its lane', async () => {
    const stores = [harness.store, await harness.another(), await harness.another()];
    await join(harness.store, [ORDERED]);
    const seen = new Map<string, number>();
    let late: unknown[] = [];
    const progress = { done: false };
    /** Sees events as they are committed. */
    const watching = (async () => {
      const look = async () => {
        const rows = await harness.hand<{ seq: string | number; ordering_key: string }>(
          'select seq, ordering_key from {inbox} order by seq',
        );
        const before = new Map(seen);
        const fresh = rows.filter((row) => !known.has(Number(row.seq)));
        for (const row of fresh) {
          const [seq, key] = [Number(row.seq), row.ordering_key];
          if (seq < (before.get(key) ?? 0)) late = [...late, row];
          known.add(seq);
          seen.set(key, Math.max(seen.get(key) ?? 0, seq));
        }
      };
      const known = new Set<number>();
      while (!progress.done) {
        await look();
        await sleep(1);
      }
      await look();
      return known.size;
    })();
    const producers = Array.from({ length: 12 }, (_one, index) => produce(stores[index % 3], `p${index}`, 14));
    await Promise.all(producers);
    progress.done = true;
    expect([await watching, late]).toEqual([12 * published(14), []]);
  });

  it('three nodes beside six producers run each lane one at a time, in publish order; nothing is left', async () => {
    const stores = [harness.store, await harness.another(), await harness.another()];
    const nodes = [
      await join(stores[0], [ORDERED]),
      await join(stores[1], [ORDERED], 'node-b'),
      await join(stores[2], [ORDERED], 'node-c'),
    ];
    const lanes = new Map<string, Lane>(KEYS.map((key) => [key, { running: 0, completed: [] }]));
    const total = 6 * published(14);
    const progress = { completed: 0 };
    const deadline = performance.now() + 90_000;
    const work = async (at: number) => {
      for (let turn = 0; progress.completed < total; turn++) {
        if (performance.now() > deadline) throw new Error(`stuck with ${progress.completed} of ${total}`);
        const wants = [{ handler: 'ledger', limit: 4, ordered: true }];
        const claimed = (await stores[at].claim({ node: nodes[at], wants, limit: 4, suspect: true })) ?? [];
        const byLane = groupBy(claimed, (one) => lanes.get(one.lane ?? '') as Lane);
        for (const lane of byLane.keys()) expect(++lane.running).toBe(1);
        await sleep(turn % 2);
        const settlements = [...byLane].flatMap(([lane, run]) => {
          lane.running--;
          // Every third run ends after its first: by a retry that is due at once, or given back.
          const stop = turn % 3 === 0 ? 1 : run.length;
          return run.map((one, place) => {
            if (place < stop && (stop === run.length || turn % 2 === 0)) {
              lane.completed.push(one.event.seq);
              progress.completed++;
              return { ...leaseOf(one), ...COMPLETED };
            }
            if (place === 0) {
              const failed = failure(1);
              return { ...leaseOf(one), outcome: 'retry' as const, availableAt: T0, failure: failed };
            }
            return { ...leaseOf(one), outcome: 'released' as const };
          });
        });
        const written = await stores[at].settle(nodes[at], settlements, T0);
        expect(written.every(Boolean)).toBe(true);
        await stores[at].stage(T0, 100);
      }
    };
    const producing = Array.from({ length: 6 }, (_one, index) => produce(stores[index % 3], `p${index}`, 14));
    await Promise.all([...producing, work(0), work(1), work(2)]);
    for (const { completed: seqs } of lanes.values()) expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    expect(await harness.hand('select id from {delivery}')).toEqual([]);
  });

  it('letters discarded and redriven while others claim and settle never leave a lane without a way on', async () => {
    const stores = [harness.store, await harness.another(), await harness.another()];
    const nodes = [await join(stores[0], [ORDERED]), await join(stores[1], [ORDERED], 'node-b')];
    const { version: registryVersion } = await harness.store.loadRegistry();
    const events = Array.from({ length: 200 }, (_one, index) => keyed(`e${index}`, KEYS[index % 2]));
    await harness.store.append({ events, registryVersion, now: T0 });
    const deadline = performance.now() + 90_000;
    const progress = { ended: 0 };
    const work = async (at: number) => {
      for (let turn = at; progress.ended < 200; turn++) {
        if (performance.now() > deadline) throw new Error(`stuck with ${progress.ended} of 200`);
        const wants = [{ handler: 'ledger', limit: 3, ordered: true }];
        const claimed = (await stores[at].claim({ node: nodes[at], wants, limit: 3, suspect: true })) ?? [];
        const seen = new Set<string | null>();
        const settlements = claimed.map((one) => {
          const isFirst = !seen.has(one.lane);
          seen.add(one.lane);
          const dies = turn % 3 === 0 && one.claims < 4;
          if (dies) return { ...leaseOf(one), ...(isFirst ? DEAD : { outcome: 'released' as const }) };
          progress.ended++;
          return { ...leaseOf(one), ...COMPLETED };
        });
        await stores[at].settle(nodes[at], settlements, T0);
        // On SQLite nothing else waits for anything but the microtasks.
        await sleep(0);
      }
    };
    const operate = async () => {
      for (let turn = 0; progress.ended < 200; turn++) {
        if (turn % 2 === 0) await stores[2].redrive({}, 1, T0);
        else {
          const discarded = await stores[2].discard({}, 1);
          progress.ended += discarded.length;
        }
        await sleep(1);
      }
    };
    await Promise.all([work(0), work(1), operate()]);
    expect(await harness.hand('select id from {delivery}')).toEqual([]);
  });
});

function groupBy<K, T>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
