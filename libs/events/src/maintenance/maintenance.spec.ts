/** Which nodes are declared dead, and what happens to their deliveries; a lease of 30 s, looked at every 5 s. */
import { hostname } from 'node:os';
import { SchedulerRegistry } from '@nestjs/schedule';
import { Logger } from '@nestjs/common';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { resolveOptions } from '../events.options.js';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import { LogStorms } from '../observability/log-storms.js';
import { MemoryDatabase } from '../store/memory/memory-database.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { ManualClock } from '../testing/manual-clock.js';
import { event } from '../testing/store-contract/scene.js';
import { HandlerUpkeep } from './handler-upkeep.js';
import { Maintenance } from './maintenance.js';

beforeEach(() => {
  for (const level of ['warn', 'error', 'debug'] as const)
    vi.spyOn(Logger.prototype, level).mockImplementation(() => undefined);
  return () => void vi.restoreAllMocks();
});

const options = resolveOptions({ store: 'memory', lease: '30s' });

async function setUp(schedulers = new SchedulerRegistry()) {
  const clock = new ManualClock();
  const database = new MemoryDatabase();
  const store = new MemoryStore(clock, database);
  const register = (host = 'elsewhere', pid = 1) =>
    store.registerNode({ label: `${host}:${pid}`, host, pid }, clock.now());
  const own = await register(hostname(), process.pid);
  const watcher = { steadySince: 0 };
  const upkeep = new HandlerUpkeep(options, store, clock);
  const maintenance = new Maintenance(
    options,
    store,
    clock,
    upkeep,
    new EventLifecycle(),
    new LogStorms(clock),
    schedulers,
  );
  const start = () => maintenance.start(own, () => watcher.steadySince);
  onTestFinished(() => maintenance.stop());
  /** Time goes by, `ms` in steps of the rescue interval; `meanwhile` happens before each look. */
  const watch = async (ms: number, meanwhile: () => Promise<unknown> = async () => undefined) => {
    for (let gone = 0; gone < ms; gone += 5_000) {
      await clock.advance(5_000);
      await meanwhile();
      await maintenance.rescue();
    }
  };
  const live = async () => (await store.nodes()).map(({ id }) => id);
  return { clock, database, store, register, own, watcher, upkeep, maintenance, start, watch, live, schedulers };
}

/** A delivery that runs on the node. */
async function leaseOne(store: MemoryStore, node: number, id = 'e'): Promise<void> {
  const { version } = await store.loadRegistry();
  await store.append({ events: [event(id, ['h'])], registryVersion: version, now: 0 });
  await store.claim({ node, wants: [{ handler: 'h', limit: 1 }], limit: 1, suspect: true });
}

describe('a node is declared dead', () => {
  it('when its beat has not moved for a whole lease while this one beat; its deliveries are rescued', async () => {
    const { store, register, own, maintenance, start, watch, live } = await setUp();
    await start();
    const other = await register();
    await leaseOne(store, other);
    await maintenance.rescue();
    await watch(25_000);
    expect(await live()).toEqual([own, other]);
    await watch(5_000);
    expect(await live()).toEqual([own]);
    const [delivery] = await store.findDeliveries('e');
    expect(delivery).toMatchObject({ state: 'pending', attempts: 1, failures: [{ name: 'node-lost' }] });
  });

  it('never while it beats, however seldom within its lease', async () => {
    const { store, register, own, maintenance, start, watch, live } = await setUp();
    await start();
    const other = await register();
    await maintenance.rescue();
    for (let round = 0; round < 5; round++) {
      await watch(25_000);
      await store.beat(other);
    }
    expect(await live()).toEqual([own, other]);
  });

  it('never this one itself', async () => {
    const { own, start, watch, live } = await setUp();
    await start();
    await watch(120_000);
    expect(await live()).toEqual([own]);
  });

  it('not for an outage that this node had too: a whole lease of steady beats comes first', async () => {
    const { clock, register, own, watcher, maintenance, start, watch, live } = await setUp();
    await start();
    const other = await register();
    await maintenance.rescue();
    watcher.steadySince = Infinity;
    await watch(120_000);
    expect(await live()).toEqual([own, other]);
    watcher.steadySince = clock.monotonic();
    await watch(25_000);
    expect(await live()).toEqual([own, other]);
    await watch(5_000);
    expect(await live()).toEqual([own]);
  });

  it('not because this node’s own question hung', async () => {
    const { clock, store, register, own, maintenance, start, live } = await setUp();
    await start();
    const other = await register();
    await maintenance.rescue();
    const nodes = vi.spyOn(store, 'nodes');
    nodes.mockImplementationOnce(async () => {
      const answer = await MemoryStore.prototype.nodes.call(store);
      await clock.advance(60_000);
      return answer;
    });
    await maintenance.rescue();
    expect(await live()).toEqual([own, other]);
  });

  it('not when it beats between the look and the burial', async () => {
    const { store, register, own, maintenance, start, watch, live } = await setUp();
    await start();
    const other = await register();
    await maintenance.rescue();
    const removeNode = store.removeNode.bind(store);
    vi.spyOn(store, 'removeNode').mockImplementation(async (...given) => {
      await store.beat(other);
      return removeNode(...given);
    });
    await watch(30_000);
    expect(await live()).toEqual([own, other]);
  });

  it('and its successor is this node after it has come back under a new id', async () => {
    const { register, own, maintenance, start, watch, live } = await setUp();
    await start();
    const reborn = await register(hostname(), process.pid);
    maintenance.enroll(reborn);
    await maintenance.rescue();
    await watch(30_000);
    expect(await live()).toEqual([reborn]);
    expect(own).not.toBe(reborn);
  });
});

describe('at boot', () => {
  it('nodes of this host whose process is gone are rescued at once, others are not', async () => {
    const { store, register, own, start, live } = await setUp();
    const gone = await register(hostname(), 2 ** 22 + 1);
    const alive = await register(hostname(), process.ppid);
    const elsewhere = await register('elsewhere', 2 ** 22 + 1);
    await leaseOne(store, gone);
    await start();
    expect(await live()).toEqual([own, alive, elsewhere]);
    expect((await store.findDeliveries('e'))[0].state).toBe('pending');
  });

  it('a database that does not answer stops nobody', async () => {
    const { store, start, schedulers } = await setUp();
    vi.spyOn(store, 'nodes').mockRejectedValue(new Error('down'));
    vi.spyOn(store, 'backlog').mockRejectedValue(new Error('down'));
    await start();
    expect(schedulers.getIntervals()).toHaveLength(4);
  });
});

describe('leases of nodes that are not registered', () => {
  it('are ended at the next look', async () => {
    const { database, store, register, start, maintenance } = await setUp();
    await start();
    const other = await register();
    await leaseOne(store, other);
    database.nodes.delete(other);
    await maintenance.rescue();
    expect((await store.findDeliveries('e'))[0].state).toBe('pending');
  });
});

describe('the intervals', () => {
  const names = ['events:prune', 'events:rescue', 'events:retire', 'events:sample'];

  it('stand in the scheduler registry from start to stop', async () => {
    const { start, maintenance, schedulers } = await setUp();
    expect(schedulers.getIntervals()).toEqual([]);
    await start();
    expect(schedulers.getIntervals().toSorted()).toEqual(names);
    maintenance.stop();
    expect(schedulers.getIntervals()).toEqual([]);
  });

  it('are not left behind by a stop in the middle of the start', async () => {
    const { start, maintenance, schedulers } = await setUp();
    const starting = start();
    maintenance.stop();
    await starting;
    expect(schedulers.getIntervals()).toEqual([]);
  });

  it('may have been deleted by the application’s own shutdown', async () => {
    const { start, maintenance, schedulers } = await setUp();
    await start();
    for (const name of names) schedulers.deleteInterval(name);
    maintenance.stop();
    expect(schedulers.getIntervals()).toEqual([]);
  });
});

describe('pruning', () => {
  it('goes on in batches until nothing is left, with what retention says', async () => {
    const { clock, store, start, maintenance } = await setUp();
    await start();
    const prune = vi.spyOn(store, 'prune').mockResolvedValueOnce(500).mockResolvedValueOnce(3).mockResolvedValueOnce(0);
    await maintenance.prune();
    const { completedMs, deadMs } = options.retention;
    const now = clock.now();
    const request = { completedBefore: now - completedMs, deadBefore: now - deadMs, now, limit: 500 };
    expect(prune.mock.calls).toEqual([[request], [request], [request]]);
  });

  it('rests after each batch for four times as long as it took', async () => {
    const { clock, store, start, maintenance } = await setUp();
    await start();
    const [left, rests] = [[500, 7, 0], [] as number[]];
    let now = 0;
    vi.spyOn(clock, 'monotonic').mockImplementation(() => now);
    vi.spyOn(clock, 'setTimeout').mockImplementation((wake, ms) => {
      rests.push(ms);
      wake();
      return undefined;
    });
    vi.spyOn(store, 'prune').mockImplementation(async () => {
      now += 30 + rests.length;
      return left.shift() ?? 0;
    });
    await maintenance.prune();
    expect(rests).toEqual([120, 124]);
  });

  it('stops in the middle when the node does', async () => {
    const { store, start, maintenance } = await setUp();
    await start();
    const prune = vi.spyOn(store, 'prune').mockImplementation(async () => {
      maintenance.stop();
      return 500;
    });
    await maintenance.prune();
    expect(prune).toHaveBeenCalledTimes(1);
  });
});

describe('the sample', () => {
  it('is taken at the start', async () => {
    const { store, own, start, maintenance } = await setUp();
    await leaseOne(store, own);
    expect(maintenance.backlog).toEqual([]);
    await start();
    expect(maintenance.backlog).toEqual([
      { handler: 'h', pending: 0, scheduled: 0, processing: 1, dead: 0, oldestPendingAt: null },
    ]);
  });
});

describe('the look at the handlers', () => {
  it('says for how long this node has beaten without a break', async () => {
    const { clock, watcher, upkeep, start, maintenance } = await setUp();
    await start();
    const run = vi.spyOn(upkeep, 'run').mockResolvedValue();
    await clock.advance(90_000);
    await maintenance.retire();
    watcher.steadySince = 60_000;
    await maintenance.retire();
    watcher.steadySince = Infinity;
    await maintenance.retire();
    expect(run.mock.calls).toEqual([[90_000], [30_000], [-Infinity]]);
  });
});
