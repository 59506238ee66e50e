/** Scope: which handlers of the cluster are retired, what becomes of their deliveries, and what is said; a day to retire. */
import { Logger } from '@nestjs/common';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryDatabase } from '../store/memory/memory-database.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { ManualClock } from '../testing/manual-clock.js';
import { event } from '../testing/store-contract/scene.js';
import { HandlerUpkeep } from './handler-upkeep.js';

const START = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;
/** As long as a node that has just come must have been there. */
const GRACE = 600_000;

let lines: string[];

beforeEach(() => {
  lines = [];
  for (const level of ['log', 'warn'] as const) {
    vi.spyOn(Logger.prototype, level).mockImplementation(
      (line: unknown) => void lines.push(`${level} ${String(line)}`),
    );
  }
  return () => void vi.restoreAllMocks();
});

async function setUp(retireAfterMs = DAY) {
  const clock = new ManualClock(START);
  const store = new MemoryStore(clock, new MemoryDatabase());
  const upkeep = new HandlerUpkeep({ retireAfterMs }, store, clock);
  const join = async (label: string, ...handlers: { name: string; aliases?: string[] }[]) => {
    const node = await store.registerNode({ label, host: label, pid: 1 }, clock.now());
    const plain = { priority: 50, ordered: false, onDeadLetter: 'block' as const, patterns: ['a.b'] };
    await store.registerHandlers(
      node,
      handlers.map((handler) => ({ ...plain, ...handler })),
      clock.now(),
    );
    return node;
  };
  const leave = (node: number) => store.removeNode(node, clock.now());
  /** Publishes events to the handler. */
  const publish = async (count: number, handler: string) => {
    const { version } = await store.loadRegistry();
    const events = Array.from({ length: count }, (_, index) => event(`${handler} ${index}`, [handler]));
    await store.append({ events, registryVersion: version, now: clock.now() });
  };
  const retired = async () => {
    const all = await store.listHandlers();
    return all.filter(({ retiredAt }) => retiredAt !== null).map(({ name }) => name);
  };
  return { clock, store, upkeep, join, leave, publish, retired };
}

describe('a handler that no live node has', () => {
  it('is retired after its time, not before', async () => {
    const { clock, upkeep, join, leave, retired } = await setUp();
    await join('stays', { name: 'here' });
    const gone = await join('goes', { name: 'there' });
    await upkeep.run(GRACE);
    await leave(gone);
    await clock.advance(DAY);
    await upkeep.run(GRACE);
    expect([await retired(), lines]).toEqual([[], []]);
    await clock.advance(1);
    await upkeep.run(GRACE);
    expect(await retired()).toEqual(['there']);
    expect(lines).toEqual([`warn handler there is retired: no live node has had it for ${DAY} ms`]);
  });

  it('is retired by no node that has just come: after a stop of the whole cluster others still start', async () => {
    const { clock, upkeep, join, leave, retired } = await setUp();
    await leave(await join('goes', { name: 'there' }));
    await clock.advance(30 * DAY);
    await join('comes', { name: 'here' });
    for (const steadyMs of [-Infinity, 0, GRACE - 1]) await upkeep.run(steadyMs);
    expect(await retired()).toEqual([]);
    await upkeep.run(GRACE);
    expect(await retired()).toEqual(['there']);
  });

  it('is retired sooner where the option says so, once the node has been there as long', async () => {
    const { clock, upkeep, join, leave, retired } = await setUp(2_000);
    await leave(await join('goes', { name: 'there' }));
    await clock.advance(5_000);
    await upkeep.run(1_999);
    expect(await retired()).toEqual([]);
    await upkeep.run(2_000);
    expect(await retired()).toEqual(['there']);
  });
});

describe('a handler that a live node has', () => {
  it('is never retired, however long its events are away', async () => {
    const { clock, upkeep, join, leave, retired } = await setUp();
    const node = await join('stays', { name: 'here' });
    for (let day = 0; day < 10; day++) {
      await clock.advance(DAY);
      await upkeep.run(GRACE);
    }
    await leave(node);
    await clock.advance(DAY);
    await upkeep.run(GRACE);
    expect(await retired()).toEqual([]);
  });
});

describe('what waits for a retired handler', () => {
  it('becomes dead letters, all of it, in batches', async () => {
    const { store, upkeep, join, publish } = await setUp();
    await join('stays', { name: 'here' }, { name: 'old' });
    await publish(1_201, 'old');
    await publish(3, 'here');
    await store.retire('old', START);
    const expire = vi.spyOn(store, 'expireRetired');
    await upkeep.run(0);
    expect(expire.mock.calls).toEqual(Array.from({ length: 3 }, () => [START, 500]));
    expect(await store.countDeadLetters({ handler: 'old', reason: 'expired' })).toBe(1_201);
    expect((await store.backlog()).map(({ handler, pending }) => [handler, pending])).toEqual(
      expect.arrayContaining([['here', 3]]),
    );
    expect(lines).toEqual(['warn 1201 deliveries of retired handlers are dead letters (expired) or adopted']);
  });

  it('goes to the handler that has adopted it', async () => {
    const { store, upkeep, join, publish } = await setUp();
    await join('stays', { name: 'old' });
    await publish(2, 'old');
    await join('comes', { name: 'new', aliases: ['old'] });
    await store.retire('old', START);
    await upkeep.run(0);
    const [backlog] = await store.backlog();
    expect([backlog.handler, backlog.pending, backlog.dead]).toEqual(['new', 2, 0]);
  });
});

describe('deliveries that wait for a handler that is nowhere', () => {
  it('are said when it begins, and when it ends', async () => {
    const { clock, upkeep, join, leave, publish } = await setUp();
    await join('stays', { name: 'here' });
    const gone = await join('goes', { name: 'there' });
    await publish(4, 'there');
    await upkeep.run(GRACE);
    expect(lines).toEqual([]);
    await leave(gone);
    await clock.advance(60_000);
    for (let n = 0; n < 3; n++) await upkeep.run(GRACE);
    expect(lines).toEqual([
      'warn no live node has handler there: 4 deliveries wait for one (last seen 2026-01-01T00:00:00.000Z)',
    ]);
    await join('comes back', { name: 'there' });
    for (let n = 0; n < 3; n++) await upkeep.run(GRACE);
    expect(lines.slice(1)).toEqual(['log handler there is on a live node again']);
  });

  it('are not said where none wait, or of a handler that is retired', async () => {
    const { upkeep, join, leave, publish, store } = await setUp();
    const gone = await join('goes', { name: 'idle' }, { name: 'retired' });
    await publish(1, 'retired');
    await leave(gone);
    await store.retire('retired', START);
    vi.spyOn(store, 'expireRetired').mockResolvedValue(0);
    await upkeep.run(GRACE);
    expect(lines).toEqual([]);
  });
});

describe('a store that fails', () => {
  it('fails the look, which is taken again later', async () => {
    const { store, upkeep } = await setUp();
    vi.spyOn(store, 'touchHandlers').mockRejectedValueOnce(new Error('down'));
    await expect(upkeep.run(GRACE)).rejects.toThrow('down');
    await upkeep.run(GRACE);
  });
});
