/** Circuits that two nodes share: opened, tried, closed; on one in-memory database and a clock that stands still. */
import { Injectable } from '@nestjs/common';
import {
  DeliveryContext,
  EventInbox,
  EventMessage,
  EventPublisher,
  EventsHealthIndicator,
  EventsNode,
  OnEvent,
  PermanentError,
} from 'nestjs-durable-events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { range } from '../support/dispatch-scene.js';
import { closeManualApps } from '../support/manual-app.js';
import { ManualCluster, type ManualNode, statsOf } from '../support/manual-cluster.js';

afterEach(closeManualApps);

const CONCURRENCY = 4;
const options = {
  name: 'charge',
  concurrency: CONCURRENCY,
  timeout: '1h',
  retry: { maxAttempts: 3, initialDelay: '1h', maxDelay: '1h', jitter: 'none' },
  circuit: { failureThreshold: 3, openDuration: '30s', successThreshold: 2, halfOpenConcurrency: 1 },
} as const;

/** What the handler of every node has in hand; the provider behind it is down, up, or takes until the test says so. */
let provider: 'down' | 'up' | 'slow';
let runs: { readonly id: string; readonly node: string; readonly end: () => void; readonly fail: () => void }[];
let running: number;
let ran: number;
beforeEach(() => {
  provider = 'up';
  runs = [];
  running = ran = 0;
});

@Injectable()
class Charge {
  constructor(private readonly node: EventsNode) {}

  @OnEvent('payment.due', options)
  async run({ id }: EventMessage, _context: DeliveryContext): Promise<void> {
    ran++;
    if (provider === 'down') throw new Error('the provider is down');
    if (provider === 'up') return;
    running++;
    try {
      await new Promise<void>((end, reject) => {
        runs.push({ id, node: this.node.id, end, fail: () => reject(new Error('still down')) });
      });
    } finally {
      running--;
    }
  }
}

const publish = ({ app }: ManualNode, ids: string[]) =>
  app.get(EventPublisher).publishAll(ids.map((id) => ({ event: 'payment.due', payload: {}, id })));
const circuits = (...nodes: ManualNode[]) => nodes.map((node) => statsOf(node, 'charge').circuit);

async function states({ app }: ManualNode, ids: string[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const id of ids) {
    const [{ state, attempts }] = await app.get(EventInbox).deliveries(id);
    counts[`${state} ${attempts}`] = (counts[`${state} ${attempts}`] ?? 0) + 1;
  }
  return counts;
}

/** Two nodes whose circuit node A has just opened, with this backlog. */
async function opened(backlog: string[]) {
  const cluster = new ManualCluster();
  const [a, b] = await cluster.startTwo([Charge]);
  await b.app.get(EventsNode).pause();
  provider = 'down';
  await publish(a, range('failing', 3));
  await cluster.clock.advance(0);
  expect(circuits(a)).toEqual(['open']);
  await publish(a, backlog);
  await b.app.get(EventsNode).resume();
  provider = 'slow';
  return { cluster, a, b, clock: cluster.clock, reached: ran };
}

/** Ends the oldest run well, and lets what comes of it happen. */
async function succeed({ clock }: ManualCluster): Promise<void> {
  runs.shift()?.end();
  await clock.advance(0);
}

describe('an open circuit', () => {
  it('that node A has opened is open on B within a second: B runs nothing, no attempt is spent, the backlog waits', async () => {
    const cluster = new ManualCluster();
    const [a, b] = await cluster.startTwo([Charge]);
    // Nobody tells B: it must look for itself.
    vi.spyOn(a.store, 'notify').mockResolvedValue();
    await b.app.get(EventsNode).pause();
    provider = 'down';
    await publish(a, range('failing', 3));
    await cluster.clock.advance(0);
    expect(circuits(a, b)).toEqual(['open', 'closed']);
    await cluster.clock.advance(1_000);
    expect(circuits(a, b)).toEqual(['open', 'open']);

    await b.app.get(EventsNode).resume();
    const claim = vi.spyOn(b.store, 'claim');
    await publish(b, range('waiting', 20));
    await cluster.clock.advance(28_999);
    expect([ran, claim.mock.calls.flatMap(([{ wants }]) => wants)]).toEqual([3, []]);
    expect(await states(b, range('waiting', 20))).toEqual({ 'pending 0': 20 });
  });

  it('is told to B at once where nodes can tell', async () => {
    const { a, b, clock } = await opened([]);
    await clock.advance(0);
    expect(circuits(a, b)).toEqual(['open', 'open']);
  });

  it('is not claimed from by a node that has not heard of it yet', async () => {
    const cluster = new ManualCluster();
    const [a, b] = await cluster.startTwo([Charge]);
    vi.spyOn(b.store, 'handlerStates').mockRejectedValue(new Error('away'));
    await b.app.get(EventsNode).pause();
    provider = 'down';
    await publish(a, range('failing', 3));
    await cluster.clock.advance(0);
    await b.app.get(EventsNode).resume();
    await publish(b, range('waiting', 5));
    await cluster.clock.advance(5_000);
    expect([circuits(a, b), ran]).toEqual([['open', 'closed'], 3]);
  });

  it('survives a restart of every node', async () => {
    const { cluster, a, b, clock, reached } = await opened(['waiting']);
    for (const { app } of [a, b]) {
      const closed = app.close();
      await clock.advance(100);
      await closed;
    }
    expect(cluster.nodes).toEqual([]);
    const again = await cluster.startTwo([Charge]);
    expect(circuits(...again)).toEqual(['open', 'open']);
    await clock.advance(29_000);
    expect(ran).toBe(reached);
    await clock.advance(1_000);
    expect([circuits(...again), running]).toEqual([['half-open', 'half-open'], 1]);
    await succeed(cluster);
  });

  it('is never opened by a PermanentError', async () => {
    const cluster = new ManualCluster();
    @Injectable()
    class Rejecting {
      @OnEvent('payment.due', { name: 'charge', circuit: { failureThreshold: 1 } })
      run(): void {
        throw new Error('wrapped', { cause: new PermanentError('no such account') });
      }
    }
    const [a, b] = await cluster.startTwo([Rejecting]);
    await publish(a, range('e', 20));
    await cluster.clock.advance(1_000);
    const dead = [a, b].map((node) => statsOf(node, 'charge').dead);
    expect([circuits(a, b), dead[0] + dead[1]]).toEqual([['closed', 'closed'], 20]);
  });
});

describe('a half-open circuit', () => {
  it('has one trial at a time in the cluster, and closes on both nodes after successThreshold successes', async () => {
    const { cluster, a, b, clock } = await opened(range('waiting', 10));
    await clock.advance(29_999);
    expect(running).toBe(0);
    await clock.advance(1);
    expect([circuits(a, b), running]).toEqual([['half-open', 'half-open'], 1]);
    await clock.advance(10_000);
    expect(running).toBe(1);
    await succeed(cluster);
    expect([circuits(a, b), running]).toEqual([['half-open', 'half-open'], 1]);
    await succeed(cluster);
    expect(circuits(a, b)).toEqual(['closed', 'closed']);
    const [{ circuit }] = cluster.database.registry.all();
    expect(circuit).toEqual({ state: 'closed', epoch: 3, openedAt: null, successes: 0 });
  });

  it('is opened again by one failed trial, for a whole openDuration', async () => {
    const { cluster, a, b, clock, reached } = await opened(range('waiting', 10));
    await clock.advance(40_000);
    runs.shift()?.fail();
    await clock.advance(0);
    expect([circuits(a, b), running]).toEqual([['open', 'open'], 0]);
    await clock.advance(29_999);
    expect(ran).toBe(reached + 1);
    await clock.advance(1);
    expect([circuits(a, b), running, ran]).toEqual([['half-open', 'half-open'], 1, reached + 2]);
    await succeed(cluster);
  });

  it('waits for the trial of a node that has died until that is rescued, then another node has it', async () => {
    const { cluster, a, b, clock, reached } = await opened(range('waiting', 10));
    await clock.advance(30_000);
    const [trial] = runs;
    const [dead, alive] = trial.node === a.app.get(EventsNode).id ? [a, b] : [b, a];
    cluster.kill(dead);
    await clock.advance(20_000);
    expect(ran).toBe(reached + 1);
    await cluster.rescue(dead);
    // The other node polls after a second and up to a fifth more.
    await clock.advance(1_300);
    expect(runs.map(({ node }) => node === alive.app.get(EventsNode).id)).toEqual([false, true]);
    await clock.advance(20_000);
    expect(ran).toBe(reached + 2);
    // What the dead node's run comes to counts no more.
    trial.fail();
    await clock.advance(0);
    expect(circuits(alive)).toEqual(['half-open']);
    runs.shift();
    await succeed(cluster);
    await succeed(cluster);
    expect(circuits(alive)).toEqual(['closed']);
  });

  it('shows the same in the stats and health of both nodes', async () => {
    const { cluster, a, b, clock } = await opened(range('waiting', 10));
    const shown = async () => {
      const bodies = await Promise.all([a, b].map(({ app }) => app.get(EventsHealthIndicator).isHealthy('events')));
      return bodies.map(({ events: { status, state, handlers } }) => ({
        status,
        state,
        handlers: Object.fromEntries(
          Object.entries(handlers as Record<string, { state: string; circuit: string }>).map(([name, one]) => [
            name,
            { state: one.state, circuit: one.circuit },
          ]),
        ) as unknown,
      }));
    };
    const both = (status: string, state: string, health: string, circuit: string) =>
      Array.from({ length: 2 }, () => ({ status, state, handlers: { charge: { state: health, circuit } } }));
    await clock.advance(1_000);
    expect(await shown()).toEqual(both('degraded', 'circuit-open', 'circuit-open', 'open'));
    await clock.advance(90_000);
    expect(await shown()).toEqual(both('down', 'unhealthy', 'degraded', 'half-open'));
    await succeed(cluster);
    await succeed(cluster);
    expect(await shown()).toEqual(both('up', 'healthy', 'healthy', 'closed'));
    while (runs.length > 0) await succeed(cluster);
  });
});

describe('a circuit that closes', () => {
  it('lets the backlog through step by step on each node: one more with each success, up to its concurrency', async () => {
    const backlog = range('waiting', 30);
    const { cluster, a, b, clock } = await opened(backlog);
    await clock.advance(30_000);
    await succeed(cluster);
    await succeed(cluster);
    const ids = [a, b].map(({ app }) => app.get(EventsNode).id);
    const successes = [0, 0];
    const steps: { inHand: number[]; ramp: number[] }[] = [];
    for (let ended = 2; ended < 30; ended++) {
      const inHand = ids.map((id) => runs.filter(({ node }) => node === id).length);
      const ramp = successes.map((count) => Math.min(1 + count, CONCURRENCY));
      if (ended + runs.length < 30) steps.push({ inHand, ramp });
      successes[ids.indexOf(runs[0].node)]++;
      await clock.advance(100);
      await succeed(cluster);
    }
    expect(steps.map(({ inHand }) => inHand)).toEqual(steps.map(({ ramp }) => ramp));
    expect(steps.at(-1)).toEqual({ inHand: [CONCURRENCY, CONCURRENCY], ramp: [CONCURRENCY, CONCURRENCY] });
    expect([running, await states(a, backlog)]).toEqual([0, { 'completed 1': 30 }]);
    expect(statsOf(a, 'charge').circuitOpened + statsOf(b, 'charge').circuitOpened).toBe(1);
  });
});
