/** Idempotency keys of two nodes: who runs, who ends as a duplicate, who waits and how long; on a clock that stands still. */
import { Injectable, type Type } from '@nestjs/common';
import {
  defineEvent,
  type DeliveryContext,
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
import { ManualCluster, nodeId, statsOf } from '../support/manual-cluster.js';

afterEach(closeManualApps);
afterEach(() => void vi.restoreAllMocks());

const due = defineEvent<{ order?: string }>({ type: 'payment.due', idempotencyKey: ({ order }) => order ?? '' });

interface Run {
  readonly id: string;
  readonly atMs: number;
  readonly node: number;
  readonly end: () => void;
  readonly fail: () => void;
}

/** Two nodes with a handler whose runs end when the test says so, or as `work` does. */
async function twoNodes(
  options: OnEventOptions<{ order?: string }> = {},
  work?: (context: DeliveryContext) => unknown,
) {
  const cluster = new ManualCluster();
  const { clock } = cluster;
  const runs: Run[] = [];
  @Injectable()
  class Charge {
    constructor(private readonly node: EventsNode) {}

    @OnEvent(due, {
      name: 'charge',
      circuit: false,
      concurrency: 25,
      retry: { initialDelay: '10m', maxDelay: '10m', jitter: 'none' },
      ...options,
    })
    async run({ id }: EventMessage<{ order?: string }>, context: DeliveryContext): Promise<void> {
      await new Promise<void>((end, reject) => {
        const node = Number(this.node.id);
        runs.push({ id, atMs: clock.monotonic(), node, end, fail: () => reject(new Error('declined')) });
        if (work) end();
      });
      await work?.(context);
    }
  }
  const [a, b] = await cluster.startTwo([Charge as Type]);
  return { cluster, clock, runs, a, b };
}

async function publish({ app, clock }: ManualApp, ids: string[], payload: { order?: string } = { order: 'o1' }) {
  await app.get(EventPublisher).publishAll(ids.map((id) => ({ event: due, payload, id })));
  await clock.advance(0);
}

async function fate({ app, clock }: ManualApp, id: string) {
  const [{ state, attempts, availableAt }] = await app.get(EventInbox).deliveries(id);
  return availableAt ? [state, attempts, Number(availableAt) - clock.now()] : [state, attempts];
}

describe('of 50 deliveries with one key on two nodes', () => {
  it('one runs, the other 49 wait and end as duplicates', async () => {
    const { clock, runs, a, b } = await twoNodes();
    const ids = [...range('a', 25), ...range('b', 25)];
    // Each node gets half of them.
    await b.app.get(EventsNode).pause();
    await publish(a, range('a', 25));
    await a.app.get(EventsNode).pause();
    await b.app.get(EventsNode).resume();
    await publish(b, range('b', 25));
    expect([runs.length, ...[a, b].map((node) => statsOf(node, 'charge').snoozed)]).toEqual([1, 24, 25]);
    await a.app.get(EventsNode).resume();
    runs[0].end();
    await clock.advance(30_000);

    const fates = await Promise.all(ids.map((id) => fate(a, id)));
    expect(runs).toHaveLength(1);
    expect(fates.filter(([state]) => state === 'completed')).toEqual([['completed', 1]]);
    expect(fates.filter(([state]) => state === 'duplicate')).toEqual(range('', 49).map(() => ['duplicate', 0]));
    const counted = [a, b].map((node) => statsOf(node, 'charge'));
    expect(counted.map(({ duplicates }) => duplicates).reduce((sum, n) => sum + n)).toBe(49);
    expect(counted.map(({ completed, failed }) => completed + failed).reduce((sum, n) => sum + n)).toBe(1);
  });

  it('another runs when the one has failed, and that one is a duplicate when its own retry comes', async () => {
    const { clock, runs, a } = await twoNodes();
    await publish(a, range('e', 50));
    runs[0].fail();
    await clock.advance(1_000);
    expect(runs).toHaveLength(2);
    expect(await fate(a, runs[0].id)).toEqual(['scheduled', 1, 599_000]);
    runs[1].end();
    await clock.advance(600_000);
    expect([runs.length, await fate(a, runs[0].id), await fate(a, runs[1].id)]).toEqual([
      2,
      ['duplicate', 1],
      ['completed', 1],
    ]);
  });

  it('who waits comes again after 1, 2, 4, 8, 16 seconds and then every 30', async () => {
    const { clock, runs, a } = await twoNodes({ timeout: '10m', idempotency: { processingTtl: '1h' } });
    await publish(a, ['holder']);
    await publish(a, ['waiting']);
    const waits: unknown[] = [];
    for (let waited = 0; waited < 7; waited++) {
      const [, , waitMs] = await fate(a, 'waiting');
      waits.push(waitMs);
      await clock.advance(Number(waitMs));
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    runs[0].end();
    await clock.advance(30_000);
    expect([runs.length, await fate(a, 'waiting')]).toEqual([1, ['duplicate', 0]]);
  });
});

describe('a node that dies with the key', () => {
  const options = { timeout: '30s', idempotency: { processingTtl: '50s' } } as const;

  it('holds it no longer than processingTtl: then another delivery runs', async () => {
    const { cluster, clock, runs, a, b } = await twoNodes(options);
    await b.app.get(EventsNode).pause();
    await publish(a, ['holder']);
    await a.app.get(EventsNode).pause();
    cluster.kill(a);
    await b.app.get(EventsNode).resume();
    await publish(b, ['other']);
    await clock.advance(49_999);
    expect(runs.map(({ id }) => id)).toEqual(['holder']);
    await clock.advance(1);
    expect(runs.map(({ id, atMs, node }) => [id, atMs, node])).toEqual([
      ['holder', 0, nodeId(a)],
      ['other', 50_000, nodeId(b)],
    ]);
    runs[1].end();
    await clock.advance(0);
    await cluster.rescue(a);
    await clock.advance(2_000);
    expect([runs.length, await fate(b, 'holder'), await fate(b, 'other')]).toEqual([
      2,
      ['duplicate', 1],
      ['completed', 1],
    ]);
  });

  it('gives it back with its delivery when it is rescued: that runs again at once, and nobody else', async () => {
    const { cluster, clock, runs, a, b } = await twoNodes(options);
    await b.app.get(EventsNode).pause();
    await publish(a, ['holder']);
    cluster.kill(a);
    await b.app.get(EventsNode).resume();
    await publish(b, ['other']);
    await clock.advance(5_000);
    await cluster.rescue(a);
    await clock.advance(2_000);
    expect(runs.map(({ id, node }) => [id, node])).toEqual([
      ['holder', nodeId(a)],
      ['holder', nodeId(b)],
    ]);
    runs[1].end();
    await clock.advance(30_000);
    expect([runs.length, await fate(b, 'holder'), await fate(b, 'other')]).toEqual([
      2,
      ['completed', 2],
      ['duplicate', 0],
    ]);
  });
});

describe('the key', () => {
  /** Publishes the same twice and answers what they came to. */
  async function twice(options: OnEventOptions<{ order?: string }>, order: string | undefined) {
    const { clock, a } = await twoNodes(options, () => undefined);
    await publish(a, ['first'], order === undefined ? {} : { order });
    await publish(a, ['second'], order === undefined ? {} : { order });
    await clock.advance(0);
    return [(await fate(a, 'first'))[0], (await fate(a, 'second'))[0]];
  }

  it.each<[string, OnEventOptions<{ order?: string }>, string | undefined, string]>([
    ['is that of the definition', {}, 'o1', 'duplicate'],
    ['is that of the option, if there is one', { idempotency: { key: () => 'always' } }, '', 'duplicate'],
    ['of the option is none when it answers nothing', { idempotency: { key: () => undefined } }, 'o1', 'completed'],
    ['is none when it is empty', {}, '', 'completed'],
    ['is none when it is not there', {}, undefined, 'completed'],
    ['is not asked for when idempotency is off', { idempotency: false }, 'o1', 'completed'],
  ])('%s', async (_, options, order, second) => {
    expect(await twice(options, order)).toEqual(['completed', second]);
  });

  it('is forgotten a ttl after it was completed, no sooner', async () => {
    const { clock, runs, a } = await twoNodes({ idempotency: { ttl: '1h' } }, () => undefined);
    await publish(a, ['first']);
    await clock.advance(3_599_999);
    await publish(a, ['second']);
    await clock.advance(1);
    await publish(a, ['third']);
    expect(runs.map(({ id }) => id)).toEqual(['first', 'third']);
    expect(await fate(a, 'second')).toEqual(['duplicate', 0]);
  });

  it('is of one handler: others have keys of their own', async () => {
    const seen: string[] = [];
    @Injectable()
    class Two {
      @OnEvent(due, { name: 'one' })
      one(): void {
        seen.push('one');
      }

      @OnEvent(due, { name: 'two' })
      two(): void {
        seen.push('two');
      }
    }
    const node = await new ManualCluster().start([Two]);
    await publish(node, ['first', 'second']);
    await node.clock.advance(1_000);
    expect(seen.toSorted()).toEqual(['one', 'two']);
  });
});

describe('context.transaction', () => {
  it('completes the key in the same commit: others are duplicates although the handler goes on', async () => {
    let end = (): void => undefined;
    const { runs, a, b, clock } = await twoNodes({}, async (context) => {
      await context.transaction(() => Promise.resolve());
      await new Promise<void>((resolve) => (end = resolve));
    });
    await publish(a, ['first']);
    await publish(b, ['second']);
    expect([runs.length, await fate(a, 'second')]).toEqual([1, ['duplicate', 0]]);
    end();
    await clock.advance(0);
    expect(await fate(a, 'first')).toEqual(['completed', 1]);
  });

  it('that is rolled back leaves the key free for the next', async () => {
    let works = false;
    const { runs, a } = await twoNodes({}, (context) =>
      context.transaction(() => (works ? Promise.resolve() : Promise.reject(new Error('constraint')))),
    );
    await publish(a, ['first']);
    works = true;
    await publish(a, ['second']);
    expect(runs.map(({ id }) => id)).toEqual(['first', 'second']);
    expect([await fate(a, 'first'), await fate(a, 'second')]).toEqual([
      ['scheduled', 1, 600_000],
      ['completed', 1],
    ]);
  });
});

describe('a store that cannot be asked for keys', () => {
  it('lets nothing run and spends no attempt; it is logged once, and all go on when it answers again', async () => {
    const { cluster, clock, runs, a, b } = await twoNodes({}, () => undefined);
    const broken = [a, b].map(({ store }) => vi.spyOn(store, 'claimKeys').mockRejectedValue(new Error('away')));
    await publish(a, ['first', 'second']);
    await clock.advance(60_000);
    expect([runs, (await fate(a, 'first')).slice(0, 2)]).toEqual([[], ['scheduled', 0]]);
    const said = cluster.log.matching(/idempotency key/);
    expect(new Set(said)).toEqual(
      new Set([
        'error: cannot ask the database for the idempotency key of charge: its deliveries are put back until it answers (said once)',
      ]),
    );
    // Once for each node that has tried.
    expect(said.length).toBeLessThanOrEqual(2);
    for (const verb of broken) verb.mockRestore();
    await clock.advance(32_000);
    const fates = [await fate(a, 'first'), await fate(a, 'second')].map(([state]) => String(state));
    expect([runs.length, fates.toSorted()]).toEqual([1, ['completed', 'duplicate']]);
  });
});
