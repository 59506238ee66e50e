/** Scope: a node's health as an orchestrator asks for it: over HTTP, from a real Terminus controller, in every state. */
import { Injectable } from '@nestjs/common';
import { EventHandlerRegistry, EventMessage, EventsNode, OnEvent, PermanentError } from 'nestjs-durable-events';
import type { ManualClock } from 'nestjs-durable-events/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Maintenance } from '../../libs/events/src/maintenance/maintenance.js';
import { HealthApp } from '../support/health-app.js';

/** What the handlers do about an event, by its type. */
let work: (type: string) => unknown;
const options = { retry: { maxAttempts: 2, initialDelay: '1h', maxDelay: '1h', jitter: 'none' } } as const;
const circuit = { failureThreshold: 2, openDuration: '30s', successThreshold: 1 } as const;

@Injectable()
class Handlers {
  @OnEvent('charge.due', { name: 'charge', circuit, ...options })
  charge({ type }: EventMessage): unknown {
    return work(type);
  }

  @OnEvent('notice.due', { name: 'notify', circuit: false, ...options })
  notify({ type }: EventMessage): unknown {
    return work(type);
  }
}

let node: HealthApp;
let clock: ManualClock;

beforeEach(async () => {
  work = () => undefined;
  node = await HealthApp.start(Handlers);
  clock = node.clock;
});

afterEach(async () => {
  vi.restoreAllMocks();
  await node.close();
});

const asked = () => node.asked();
const publish = (type: string, ...ids: string[]) => node.publish(type, ...ids);
const LIVES = [200, undefined];
const DEAD = [503, 'loops hang, although the database answers'];
const fails = () => Promise.reject(new Error('the provider is down'));

describe('a node that is ready', () => {
  it('says so, with what it knows', async () => {
    await publish('nobody.wants', 'a');
    await clock.advance('7s');
    const healthy = { state: 'healthy', circuit: 'closed', lagMs: null };
    expect(await asked()).toEqual({
      ready: [200, 'up', undefined],
      live: LIVES,
      body: {
        state: 'healthy',
        node: 'running',
        roundTripMs: 0,
        heartbeatAgeMs: expect.toSatisfy((ms: number) => ms >= 0 && ms <= 5_000) as unknown,
        unhandled: 1,
        absent: [],
        handlers: { charge: healthy, notify: healthy },
      },
    });
  });
});

describe('a node that is degraded is ready all the same:', () => {
  it('paused', async () => {
    await node.app.get(EventsNode).pause();
    expect(await asked()).toMatchObject({ ready: [200, 'degraded', 'node is paused'], live: LIVES });
  });

  it('with a handler that fails', async () => {
    work = (type) => (type === 'notice.due' ? fails() : undefined);
    await publish('notice.due', 'a');
    const { ready, body } = await asked();
    expect([ready, body['state']]).toEqual([[200, 'degraded', 'degraded'], 'degraded']);
    expect(body['handlers']).toMatchObject({ charge: { state: 'healthy' }, notify: { state: 'degraded' } });
  });

  it('with a handler that is paused', async () => {
    await node.app.get(EventHandlerRegistry).pause('notify');
    await clock.advance('1s');
    expect(await asked()).toMatchObject({ ready: [200, 'degraded', 'degraded'], live: LIVES });
  });

  it('with a circuit that is open, then half-open, then up again', async () => {
    work = fails;
    await publish('charge.due', 'a', 'b');
    expect(await asked()).toMatchObject({
      ready: [200, 'degraded', 'circuit-open'],
      live: LIVES,
      body: { state: 'circuit-open', handlers: { charge: { circuit: 'open' } } },
    });
    // Nothing is there to be tried: half-open it stays.
    await clock.advance('61s');
    expect(await asked()).toMatchObject({
      ready: [200, 'degraded', 'degraded'],
      body: { state: 'degraded', handlers: { charge: { circuit: 'half-open', state: 'degraded' } } },
    });
    work = () => undefined;
    await publish('charge.due', 'c');
    await clock.advance('60s');
    expect(await asked()).toMatchObject({
      ready: [200, 'up', undefined],
      body: { handlers: { charge: { circuit: 'closed' } } },
    });
  });

  it('with deliveries that wait too long, by handler', async () => {
    await node.app.get(EventHandlerRegistry).pause('notify');
    await clock.advance('1s');
    await publish('notice.due', 'a');
    await clock.advance('9990ms');
    await node.app.get(Maintenance).sample();
    const late = 'oldest pending delivery of notify is 10000 ms old';
    for (const [maxLag, message] of [
      [{ notify: '10s', charge: 0 }, 'degraded'],
      [{ notify: 9_999 }, `degraded; ${late}`],
      ['9s', `degraded; ${late}`],
    ] as const) {
      node.limit({ maxLag });
      expect((await asked()).ready).toEqual([200, 'degraded', message]);
    }
    expect((await asked()).body['handlers']).toMatchObject({ notify: { lagMs: 10_000 }, charge: { lagMs: null } });
  });

  it('with too many dead letters, by handler or in all', async () => {
    work = () => Promise.reject(new PermanentError('no'));
    await publish('notice.due', 'a', 'b');
    work = () => undefined;
    // A minute later they are no failures of late any more.
    await clock.advance('61s');
    for (const [maxDeadLetters, ...ready] of [
      [2, 200, 'up', undefined],
      [1, 200, 'degraded', '2 dead letters'],
      [{ notify: 2, charge: 0 }, 200, 'up', undefined],
      [{ notify: 1, charge: 0 }, 200, 'degraded', '2 dead letters of notify'],
    ] as const) {
      node.limit({ maxDeadLetters });
      expect((await asked()).ready).toEqual(ready);
    }
  });

  it('with deliveries that wait for a handler that no node has', async () => {
    const other = await node.store.registerNode({ label: 'old', host: 'old', pid: 1 }, clock.now());
    const gone = { name: 'gone', patterns: ['old.due'], priority: 50, ordered: false, onDeadLetter: 'block' } as const;
    await node.store.registerHandlers(other, [gone], clock.now());
    await node.store.removeNode(other, clock.now());
    await node.app.get(Maintenance).sample();
    expect(await asked()).toMatchObject({
      ready: [200, 'up', undefined],
      body: { absent: [{ handler: 'gone', waiting: 0 }] },
    });
    await publish('old.due', 'a');
    await node.app.get(Maintenance).sample();
    expect(await asked()).toMatchObject({
      ready: [200, 'degraded', 'no node has gone: 1 deliveries wait'],
      live: LIVES,
      body: { absent: [{ handler: 'gone', waiting: 1 }] },
    });
  });
});

describe('a node is not ready', () => {
  it('when most of its handlers fail; a restart would not help', async () => {
    work = fails;
    await publish('notice.due', 'a');
    await publish('charge.due', 'b');
    expect(await asked()).toMatchObject({
      ready: [503, 'down', 'most handlers are failing; unhealthy'],
      live: LIVES,
    });
  });

  it('while it drains, and when it has stopped, which only a restart ends', async () => {
    let end = (): void => undefined;
    work = () => new Promise<void>((resolve) => (end = resolve));
    await publish('notice.due', 'a');
    const drained = node.app.get(EventsNode).drain();
    expect(await asked()).toMatchObject({ ready: [503, 'down', 'node is draining'], live: LIVES });
    end();
    await clock.advance('1s');
    await drained;
    expect(await asked()).toMatchObject({
      ready: [503, 'down', 'node is stopped'],
      live: [503, 'node is stopped'],
    });
  });

  it.each([
    ['notfy', 'did you mean "notify"?'],
    ['something', 'there are charge, notify'],
  ])('when a limit names %s, which is no handler: the body says what is', async (name, hint) => {
    node.limit({ maxLag: { [name]: '5s' } });
    expect((await asked()).ready).toEqual([
      503,
      'down',
      `EventsHealthIndicator: option "maxLag.${name}" must be left out: it is unknown (${hint}), but is '5s'`,
    ]);
  });
});

describe('a database that is away', () => {
  const VERBS = [
    'ping',
    'listHandlers',
    'beat',
    'claim',
    'stage',
    'fanOut',
    'handlerStates',
    'countDeadLetters',
  ] as const;
  const away = (answer: () => Promise<never>) => {
    const spies = VERBS.map((verb) => vi.spyOn(node.store, verb).mockImplementation(answer));
    return () => spies.forEach((spy) => spy.mockRestore());
  };

  it('and refuses makes the node unready, not dead, for as long as it takes', async () => {
    node.limit({ maxDeadLetters: 5 });
    const back = away(() => Promise.reject(new Error('connection refused')));
    for (const after of [0, '31s', '10m'] as const) {
      await clock.advance(after);
      const { ready, live, body } = await asked();
      expect([ready.slice(0, 2), live, body['roundTripMs']]).toEqual([[503, 'down'], LIVES, null]);
      expect(ready[2]).toContain('database: connection refused');
    }
    expect((await asked()).body['heartbeatAgeMs']).toBeGreaterThan(600_000);
    back();
    await clock.advance('30s');
    expect(await asked()).toMatchObject({ ready: [200, 'up', undefined], live: LIVES });
  });

  it('and says nothing makes the node unready within a second, and its loops hang: it is not dead', async () => {
    const waiting: (() => void)[] = [];
    const back = away(() => new Promise<never>((_, reject) => waiting.push(() => reject(new Error('no answer')))));
    await clock.advance('2m');
    const asking = node.ask('health/ready');
    await expect.poll(() => clock.nextTimerInMs).toBe(1_000);
    await clock.advance('1s');
    expect(await asking).toMatchObject({
      http: 503,
      status: 'down',
      message: 'loops are stalled; database: no answer within 1000 ms',
    });
    expect(await node.ask('health/live')).toMatchObject({ http: 200, status: 'up' });
    back();
    for (const end of waiting) end();
    await clock.advance('1m');
    expect(await asked()).toMatchObject({ ready: [200, 'up', undefined], live: LIVES });
  });

  it('and comes back leaves the loops a minute to notice', async () => {
    const beat = vi.spyOn(node.store, 'beat').mockRejectedValue(new Error('connection refused'));
    const stage = vi.spyOn(node.store, 'stage').mockImplementation(() => new Promise<never>(() => {}));
    await clock.advance('10m');
    expect(stage).toHaveBeenCalled();
    beat.mockRestore();
    await clock.advance('59s');
    expect(await asked()).toMatchObject({ ready: [503, 'down', 'loops are stalled'], live: LIVES });
    await clock.advance('10s');
    expect((await asked()).live).toEqual(DEAD);
  });
});

it('a loop that hangs although the database answers makes the node unready, and dead', async () => {
  const hanging = vi.spyOn(node.store, 'stage').mockImplementation(() => new Promise<never>(() => {}));
  await clock.advance('5s');
  expect(hanging).toHaveBeenCalled();
  expect(await asked()).toMatchObject({ ready: [200, 'up', undefined], live: LIVES });
  await clock.advance('30s');
  expect(await asked()).toMatchObject({ ready: [503, 'down', 'loops are stalled'], live: LIVES });
  await clock.advance('30s');
  expect(await asked()).toMatchObject({ ready: [503, 'down', 'loops are stalled'], live: DEAD });
});
