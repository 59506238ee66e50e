/** Rate limits: who runs at once, who waits until exactly when, in one process and in a cluster; on a clock that stands still. */
import { Injectable, type Type } from '@nestjs/common';
import {
  EventInbox,
  EventMessage,
  EventPublisher,
  EventsNode,
  OnEvent,
  type OnEventOptions,
} from 'nestjs-durable-events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { range } from '../support/dispatch-scene.js';
import { closeManualApps, type ManualApp } from '../support/manual-app.js';
import { ManualCluster, type ManualNode, statsOf } from '../support/manual-cluster.js';

afterEach(closeManualApps);
afterEach(() => void vi.restoreAllMocks());

interface Run {
  readonly id: string;
  /** Since the clock was made. */
  readonly atMs: number;
  readonly node: string;
}

type Limit = NonNullable<OnEventOptions<{ tenant?: string }>['rateLimit']>;

/** Nodes with one handler under this limit, and what it has run. */
async function nodesWith(rateLimit: Limit, count = 1) {
  const runs: Run[] = [];
  const cluster = new ManualCluster();
  const { clock } = cluster;
  @Injectable()
  class Limited {
    constructor(private readonly node: EventsNode) {}

    @OnEvent('call.wanted', { name: 'call', rateLimit })
    run({ id }: EventMessage<{ tenant?: string }>): void {
      runs.push({ id, atMs: clock.monotonic(), node: this.node.id });
    }
  }
  const nodes: ManualNode[] = [];
  for (let n = 0; n < count; n++) nodes.push(await cluster.start([Limited as Type]));
  return { cluster, clock, runs, nodes, node: nodes[0] };
}

async function publish({ app, clock }: ManualApp, ids: string[], tenant = 'a', priority = 50): Promise<void> {
  const events = ids.map((id) => ({ event: 'call.wanted', payload: { tenant }, id, priority }));
  await app.get(EventPublisher).publishAll(events);
  await clock.advance(0);
}

/** State, attempts and, of one that waits, milliseconds until it is due. */
async function fates({ app, clock }: ManualApp, ids: string[]) {
  const found = await Promise.all(ids.map((id) => app.get(EventInbox).deliveries(id)));
  return found.map(([{ state, attempts, availableAt }]) =>
    availableAt ? [state, attempts, Number(availableAt) - clock.now()] : [state, attempts],
  );
}

const times = (runs: readonly Run[]) => runs.map(({ atMs }) => atMs);
const byTenant = ({ payload }: EventMessage<{ tenant?: string }>) => payload.tenant;

describe('ten a minute with a burst of 15', () => {
  it.each(['database', 'memory'] as const)(
    'run 15 at once; the 16th waits 6 seconds, and another key is not touched (store %s)',
    async (store) => {
      const { node, runs, clock } = await nodesWith({ limit: 10, period: '1m', burst: 15, key: byTenant, store });
      await publish(node, range('a', 16));
      expect(runs).toHaveLength(15);
      expect(await fates(node, ['a15'])).toEqual([['scheduled', 0, 6_000]]);
      await publish(node, range('b', 15), 'b');
      expect(runs).toHaveLength(30);
      await publish(node, range('free', 40), '');
      expect(runs).toHaveLength(70);

      await clock.advance(5_999);
      expect(runs).toHaveLength(70);
      await clock.advance(1);
      expect(runs.slice(70)).toMatchObject([{ id: 'a15', atMs: 6_000 }]);
      expect(await fates(node, ['a15'])).toEqual([['completed', 1]]);
      expect(statsOf(node, 'call')).toMatchObject({ snoozed: 1, completed: 71, failed: 0, retried: 0 });
    },
  );

  it('have all 15 again after a quiet time, and not one more', async () => {
    const { node, runs, clock } = await nodesWith({ limit: 10, period: '1m', burst: 15, key: byTenant });
    await publish(node, range('a', 15));
    await clock.advance(3_600_000);
    await publish(node, range('b', 16));
    expect(runs).toHaveLength(30);
    expect(await fates(node, ['b15'])).toEqual([['scheduled', 0, 6_000]]);
  });
});

describe('a bucket', () => {
  it('fills continuously: half a token that has come back is waited for half as long', async () => {
    const { node, runs, clock } = await nodesWith({ limit: 10, period: '1m', burst: 1, key: byTenant });
    await publish(node, ['first']);
    await clock.advance(3_000);
    await publish(node, ['second']);
    expect(await fates(node, ['second'])).toEqual([['scheduled', 0, 3_000]]);
    await clock.advance(3_000);
    expect(times(runs)).toEqual([0, 6_000]);
  });

  it('whose interval is no whole millisecond loses nothing by rounding', async () => {
    const { node, runs, clock } = await nodesWith({ limit: 7, period: '1m', burst: 1, key: byTenant });
    await publish(node, range('e', 8));
    await clock.advance(60_000);
    expect(times(runs)).toEqual(range('', 8).map((_, n) => Math.ceil((n * 60_000) / 7)));
  });

  it('gives each who waits a moment of its own; coming back takes no second token', async () => {
    const { node, runs, clock } = await nodesWith({ limit: 1, period: '1s', key: byTenant });
    const takeTokens = vi.spyOn(node.store, 'takeTokens');
    await publish(node, range('e', 20));
    await clock.advance(60_000);
    expect(runs.map(({ id, atMs }) => [id, atMs])).toEqual(range('e', 20).map((id, n) => [id, n * 1_000]));
    expect(takeTokens.mock.calls.flatMap(([takes]) => takes)).toHaveLength(20);
  });

  it('makes who comes later queue behind those who wait already', async () => {
    const { node, runs, clock } = await nodesWith({ limit: 1, period: '1s', key: byTenant });
    await publish(node, range('e', 3));
    await clock.advance(500);
    await publish(node, ['late']);
    expect(await fates(node, ['e1', 'e2', 'late'])).toEqual([
      ['scheduled', 0, 500],
      ['scheduled', 0, 1_500],
      ['scheduled', 0, 2_500],
    ]);
    await clock.advance(10_000);
    expect(runs.map(({ id, atMs }) => [id, atMs])).toEqual([
      ['e0', 0],
      ['e1', 1_000],
      ['e2', 2_000],
      ['late', 3_000],
    ]);
  });
});

describe('two nodes', () => {
  it.each([
    ['with a key', byTenant],
    ['without', undefined],
  ])('never run more than the limit together, %s', async (_, key) => {
    const { nodes, runs, clock } = await nodesWith({ limit: 10, period: '1m', burst: 5, key }, 2);
    const [a, b] = nodes;
    await Promise.all([publish(a, range('a', 20)), publish(b, range('b', 20))]);
    await clock.advance(300_000);
    expect(times(runs)).toEqual([0, 0, 0, 0, ...range('', 36).map((_, n) => n * 6_000)]);
    expect(new Set(runs.map(({ node }) => node)).size).toBe(2);
  });

  it('have a limit each when the store is the memory', async () => {
    const { nodes, runs } = await nodesWith({ limit: 10, period: '1m', burst: 5, key: byTenant, store: 'memory' }, 2);
    const [a, b] = nodes;
    await b.app.get(EventsNode).pause();
    await publish(a, range('a', 6));
    expect(await fates(a, ['a5'])).toEqual([['scheduled', 0, 6_000]]);
    await a.app.get(EventsNode).pause();
    await b.app.get(EventsNode).resume();
    await publish(b, range('b', 6));
    expect(await fates(b, ['b5'])).toEqual([['scheduled', 0, 6_000]]);
    expect(runs.map(({ node }) => node)).toEqual(
      [a, b].flatMap(({ app }) => range('', 5).map(() => app.get(EventsNode).id)),
    );
  });
});

describe('a limit for the whole handler', () => {
  it('lets its node claim no more than may run, so that what comes later and is more urgent goes first', async () => {
    const { node, runs, clock } = await nodesWith({ limit: 10, period: '1m', burst: 5 });
    await publish(node, ['first']);
    const claimed: string[] = [];
    const claim = node.store.claim.bind(node.store);
    vi.spyOn(node.store, 'claim').mockImplementation(async (request) => {
      const deliveries = await claim(request);
      claimed.push(...(deliveries ?? []).map(({ event }) => event.id));
      return deliveries;
    });
    await publish(node, range('e', 30));
    // Four have a token, the fifth has reserved the next one.
    expect(claimed).toEqual(range('e', 5));
    await publish(node, ['urgent'], 'a', 1);
    await clock.advance(18_000);
    expect(runs.map(({ id, atMs }) => [id, atMs])).toEqual([
      ...['first', ...range('e', 4)].map((id) => [id, 0]),
      ['e4', 6_000],
      ['urgent', 12_000],
      ['e5', 18_000],
    ]);
    // Nobody oftener than twice: to reserve its moment, and at that moment; of the others hardly any.
    const waiting = [...new Set(claimed)];
    expect(Math.max(...waiting.map((id) => claimed.filter((other) => other === id).length))).toBe(2);
    expect(waiting.length).toBeLessThan(10);
  });

  it('is not polled while it waits for an hour', async () => {
    const { node, runs, clock } = await nodesWith({ limit: 1, period: '1h' });
    await publish(node, range('e', 10));
    expect(times(runs)).toEqual([0]);
    const claim = vi.spyOn(node.store, 'claim');
    const takeTokens = vi.spyOn(node.store, 'takeTokens');
    await clock.advance(3_599_999);
    expect([claim.mock.calls.length, takeTokens.mock.calls.length, runs.length]).toEqual([0, 0, 1]);
    await clock.advance(1);
    expect(times(runs)).toEqual([0, 3_600_000]);
  });
});

describe('a store that cannot be asked', () => {
  it('lets nothing through and spends no attempt; it is logged once, and all runs when it answers again', async () => {
    const { node, runs, clock, cluster } = await nodesWith({ limit: 100, period: '1m', key: byTenant });
    const takeTokens = vi.spyOn(node.store, 'takeTokens').mockRejectedValue(new Error('database is away'));
    await publish(node, range('e', 20));
    await clock.advance(60_000);
    expect(runs).toEqual([]);
    const [fate] = await fates(node, ['e0']);
    expect(fate.slice(0, 2)).toEqual(['scheduled', 0]);
    expect(cluster.log.matching(/rate limit/)).toEqual([
      'error: cannot ask the database for the rate limit of call: its deliveries are put back until it answers (said once)',
    ]);
    // Each has come back once a second, no oftener.
    expect(takeTokens.mock.calls.flatMap(([takes]) => takes).length).toBeLessThanOrEqual(61 * 20);

    takeTokens.mockRestore();
    await clock.advance(1_000);
    expect(runs).toHaveLength(20);
    expect(statsOf(node, 'call')).toMatchObject({ completed: 20, failed: 0, dead: 0 });
    expect(cluster.log.matching(/rate limit/).slice(1)).toEqual(['log: the database answers for a rate limit again']);
  });
});
