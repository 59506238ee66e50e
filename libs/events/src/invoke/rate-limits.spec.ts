/** Scope: where a node's limits are kept, and what it knows of their room; the bucket's arithmetic has a spec of its own. */
import { describe, expect, it, vi } from 'vitest';
import type { ResolvedRateLimitOptions } from '../discovery/on-event.options.js';
import { MemoryDatabase } from '../store/memory/memory-database.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { ManualClock } from '../testing/manual-clock.js';
import { newHandler } from './attempt.fixture.js';
import { RateLimits } from './rate-limits.js';

const START = 1_000_000;
/** 15 at once, then one every six seconds. */
const tenAMinute = { limit: 10, periodMs: 60_000, burst: 15, key: undefined };

function setUp(where: ResolvedRateLimitOptions['store'] = 'database') {
  const clock = new ManualClock(START);
  const database = new MemoryDatabase();
  const newNode = () => {
    const store = new MemoryStore(clock, database);
    const takeTokens = vi.spyOn(store, 'takeTokens');
    const limits = new RateLimits(store, clock);
    const limit = { ...tenAMinute, store: where };
    /** What `times` takes at once answer. */
    const take = async (times: number, key = '', name = 'h') => {
      const handler = newHandler({ name });
      const answers = await Promise.all(Array.from({ length: times }, () => limits.take(handler, limit, key)));
      return answers.map(({ slotAt }) => slotAt);
    };
    return { limits, limit, take, takeTokens };
  };
  return { clock, newNode, ...newNode() };
}

const nulls = (length: number) => Array.from({ length }, () => null);

describe.each(['database', 'memory'] as const)('a limit in %s', (where) => {
  it('lets the burst through at once; whoever comes next waits exactly until a token is back', async () => {
    const { take } = setUp(where);
    expect(await take(17)).toEqual([...nulls(15), START + 6_000, START + 12_000]);
  });

  it('gives each key, and each handler, a bucket of its own', async () => {
    const { take } = setUp(where);
    expect(await take(16, 'acme')).toEqual([...nulls(15), START + 6_000]);
    expect([await take(1, 'other'), await take(1, 'acme', 'g'), await take(1, 'acme')]).toEqual([
      [null],
      [null],
      [START + 12_000],
    ]);
  });

  it('refills with time', async () => {
    const { clock, take } = setUp(where);
    await take(15);
    await clock.advance(12_000);
    expect(await take(3)).toEqual([null, null, START + 18_000]);
  });
});

describe('where a limit is kept', () => {
  it('in the database: all nodes take from one bucket, many takes in one call', async () => {
    const { take, takeTokens, newNode } = setUp();
    await take(15);
    expect(await newNode().take(1)).toEqual([START + 6_000]);
    expect(takeTokens).toHaveBeenCalledTimes(1);
    expect(takeTokens.mock.calls[0][0][0]).toEqual({ handler: 'h', key: '', burst: 15, intervalMs: 6_000 });
  });

  it('in memory: each node has its own, and the store is not asked', async () => {
    const { take, takeTokens, newNode } = setUp('memory');
    await take(15);
    expect(await newNode().take(1)).toEqual([null]);
    expect(takeTokens).not.toHaveBeenCalled();
  });

  it('is lost to nobody else when the store fails: the take fails', async () => {
    const { take, takeTokens } = setUp();
    takeTokens.mockRejectedValueOnce(new Error('down'));
    await expect(take(2)).rejects.toThrow('down');
    expect(await take(1)).toEqual([null]);
  });
});

describe('a token that was reserved', () => {
  it.each([
    ['an hour before', 3_600_000, true],
    ['at its moment', 0, true],
    ['as late as another one comes back', -6_000, true],
    ['later than that: by then the bucket has refilled', -6_001, false],
  ])('is good %s', (_when, inMs, good) => {
    const { limits, limit } = setUp();
    expect(limits.isGood(START + inMs, limit)).toBe(good);
  });

  it('of a quick limit is good for a second', () => {
    const { limits, limit } = setUp();
    const quick = { ...limit, limit: 1_000, periodMs: 1_000 };
    expect([limits.isGood(START - 1_000, quick), limits.isGood(START - 1_001, quick)]).toEqual([true, false]);
  });
});

describe('the room of a handler', () => {
  const room = ({ limits }: Pick<ReturnType<typeof setUp>, 'limits'>) => [limits.room('h'), limits.freeInMs('h')];

  it('is not known before it has run', () => {
    expect(room(setUp())).toEqual([Infinity, 0]);
  });

  it('is what the bucket had left, at least one: time goes on', async () => {
    const scene = setUp();
    await scene.take(3);
    expect(room(scene)).toEqual([12, 0]);
    await scene.take(12);
    expect(room(scene)).toEqual([1, 0]);
  });

  it('is none while all that comes back is reserved, but for those who come back to theirs', async () => {
    const scene = setUp();
    await scene.take(17);
    expect(room(scene)).toEqual([0, 12_000]);
    await scene.clock.advance(5_999);
    expect(room(scene)).toEqual([0, 6_001]);
    await scene.clock.advance(1);
    expect(room(scene)).toEqual([1, 6_000]);
    scene.limits.returned('h', START + 6_000);
    expect(room(scene)).toEqual([0, 6_000]);
    await scene.clock.advance(6_000);
    expect(room(scene)).toEqual([2, 0]);
  });

  it('is nobody’s when who had it reserved has not come while it was good: that was to another node', async () => {
    const scene = setUp();
    await scene.take(18);
    await scene.clock.advance(12_000);
    expect(room(scene)).toEqual([2, 6_000]);
    await scene.clock.advance(1);
    expect(room(scene)).toEqual([1, 5_999]);
  });

  it('is not taken from those who wait by one who comes with another token', async () => {
    const scene = setUp();
    await scene.take(16);
    // It had a free one, but the circuit was open.
    scene.limits.returned('h', START);
    await scene.clock.advance(6_000);
    expect(room(scene)).toEqual([2, 0]);
  });

  it('with a key cannot be known', async () => {
    const scene = setUp();
    await scene.take(17, 'acme');
    expect(room(scene)).toEqual([Infinity, 0]);
  });
});
