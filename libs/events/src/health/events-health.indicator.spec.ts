import { HealthIndicatorService } from '@nestjs/terminus';
import { describe, expect, it, vi } from 'vitest';
import type { EventsNode } from '../dispatch/events-node.service.js';
import type { NodeStatus } from '../dispatch/node-status.js';
import type { Maintenance } from '../maintenance/maintenance.js';
import type { EventsStats } from '../observability/events-stats.service.js';
import type { UnhandledEvents } from '../observability/unhandled-events.js';
import type { CircuitState } from '../policies/circuit-breaker.policy.js';
import type { DeadLetterQuery } from '../store/dead-letter.store.js';
import type { EventStore } from '../store/event-store.js';
import type { HandlerRecord } from '../store/handler.store.js';
import type { HandlerBacklog } from '../store/records.js';
import { ManualClock } from '../testing/manual-clock.js';
import { EventsHealthIndicator } from './events-health.indicator.js';
import type { EventsHealthOptions } from './health-options.js';
import { nodeHealth, type HealthState } from './health-state.js';

interface Situation {
  readonly handlers?: Record<string, { health: HealthState; circuit: CircuitState; oldestPendingMs: number | null }>;
  readonly status?: NodeStatus;
  readonly stalled?: boolean;
  readonly hangs?: boolean;
  readonly ping?: () => Promise<number>;
  readonly deadLetters?: (query: DeadLetterQuery) => Promise<number>;
  readonly listed?: () => Promise<Partial<HandlerRecord>[]>;
  readonly backlog?: Partial<HandlerBacklog>[];
  readonly snapshot?: () => never;
}

const notify = { health: 'healthy', circuit: 'closed', oldestPendingMs: null } as const;
const well = { notify };
const none = async () => 0;
const NOW = 1_000_000;

function setUp({ handlers = well, status = 'running', stalled = false, hangs = false, ...rest }: Situation = {}) {
  const clock = new ManualClock(NOW);
  const health = nodeHealth(Object.values(handlers).map((handler) => handler.health));
  const stats = { snapshot: rest.snapshot ?? (() => ({ handlers, total: { health } })) };
  const live = Object.keys(handlers).map((name) => ({ name, nodes: [{ id: 1, label: '' }], retiredAt: null }));
  const store = {
    ping: vi.fn(rest.ping ?? none),
    countDeadLetters: vi.fn(rest.deadLetters ?? none),
    listHandlers: vi.fn(rest.listed ?? (async () => live)),
  };
  const indicator = new EventsHealthIndicator(
    new HealthIndicatorService(),
    store as Partial<EventStore> as EventStore,
    { status, stalled, hangs, heartbeatAgeMs: 70 } as EventsNode,
    stats as unknown as EventsStats,
    { backlog: rest.backlog ?? [] } as unknown as Maintenance,
    { count: 4 } as UnhandledEvents,
    clock,
  );
  return { clock, indicator, store, check: (options?: EventsHealthOptions) => indicator.isHealthy('events', options) };
}

const closed = { state: 'healthy', circuit: 'closed', lagMs: null };
const body = {
  state: 'healthy',
  node: 'running',
  roundTripMs: 0,
  heartbeatAgeMs: 70,
  unhandled: 4,
  absent: [],
  handlers: { notify: closed },
};
const lag = (ms: number) => ({
  handlers: { notify: { ...notify, oldestPendingMs: ms }, fraud: { ...notify, oldestPendingMs: 3_000 } },
});

describe('a node is up', () => {
  it('when all is well', async () => {
    const { clock, check } = setUp();
    expect(await check()).toEqual({ events: { status: 'up', ...body } });
    expect(clock.nextTimerInMs).toBeUndefined();
  });

  it('without handlers', async () => {
    expect(await setUp({ handlers: {} }).check()).toEqual({ events: { status: 'up', ...body, handlers: {} } });
  });

  it('with how long the database took', async () => {
    let answer: (now: number) => void = () => undefined;
    const { clock, check } = setUp({ ping: () => new Promise((resolve) => (answer = resolve)) });
    const checked = check();
    await clock.advance(340);
    answer(0);
    expect(await checked).toEqual({ events: { status: 'up', ...body, roundTripMs: 340 } });
  });

  it('exactly at its limits', async () => {
    const { check, store } = setUp({ ...lag(5_000), deadLetters: async () => 3 });
    for (const options of [
      { maxLag: '5s', maxDeadLetters: 3 },
      { maxLag: { notify: 5_000, fraud: 3_000 }, maxDeadLetters: { notify: 3 } },
    ] as const)
      expect(await check(options)).toMatchObject({ events: { status: 'up' } });
    expect(store.countDeadLetters.mock.calls).toEqual([[{}], [{ handler: 'notify' }]]);
  });

  it('although a retired handler is on no node, or one for which nothing waits', async () => {
    const listed = async () => [
      { name: 'old', nodes: [], retiredAt: 5 },
      { name: 'idle', nodes: [], retiredAt: null },
    ];
    expect(await setUp({ listed, backlog: [{ handler: 'old', pending: 3, scheduled: 0 }] }).check()).toEqual({
      events: { status: 'up', ...body, absent: [{ handler: 'idle', waiting: 0 }] },
    });
  });

  it('and the same is its readiness', async () => {
    const { indicator } = setUp({ ...lag(1_001) });
    expect(await indicator.readiness('events', { maxLag: '1s' })).toEqual(
      await indicator.isHealthy('events', { maxLag: '1s' }),
    );
  });
});

describe('a node is degraded', () => {
  it('when a circuit is open, and says which', async () => {
    const handlers = { ...well, fraud: { ...notify, health: 'circuit-open', circuit: 'open' } } as const;
    expect(await setUp({ handlers }).check()).toEqual({
      events: {
        ...body,
        status: 'degraded',
        state: 'circuit-open',
        message: 'circuit-open',
        handlers: { ...body.handlers, fraud: { state: 'circuit-open', circuit: 'open', lagMs: null } },
      },
    });
  });

  it('when a share of its handlers is failing', async () => {
    const handlers = { ...well, fraud: { ...notify, health: 'degraded', circuit: 'half-open' } } as const;
    expect(await setUp({ handlers }).check()).toMatchObject({
      events: { status: 'degraded', state: 'degraded', message: 'degraded' },
    });
  });

  it('when it is paused', async () => {
    expect(await setUp({ status: 'paused' }).check()).toEqual({
      events: { status: 'degraded', ...body, node: 'paused', message: 'node is paused' },
    });
  });

  it.each<[string, EventsHealthOptions, string]>([
    ['one limit of all', { maxLag: '5s' }, 'oldest pending delivery of notify is 5001 ms old'],
    ['that of a handler', { maxLag: { notify: '5s' } }, 'oldest pending delivery of notify is 5001 ms old'],
    ['those of two', { maxLag: { fraud: 1, notify: 1 } }, 'of fraud is 3000 ms old; oldest pending delivery of notify'],
    ['dead letters of all', { maxDeadLetters: 11 }, '12 dead letters'],
    ['those of a handler', { maxDeadLetters: { fraud: 6, notify: 6 } }, '7 dead letters of fraud'],
  ])('when a limit is passed: %s', async (_what, options, message) => {
    const deadLetters = async ({ handler }: DeadLetterQuery) =>
      handler === undefined ? 12 : handler === 'fraud' ? 7 : 5;
    const { check } = setUp({ ...lag(5_001), deadLetters });
    const { events } = await check(options);
    expect(events).toMatchObject({ status: 'degraded', message: expect.stringContaining(message) });
    expect(await check({ maxLag: '1d', maxDeadLetters: 12 })).toMatchObject({ events: { status: 'up' } });
  });

  it('when what waits for a handler of another node is too old', async () => {
    const listed = async () => [{ name: 'far', nodes: [{ id: 2, label: '' }], retiredAt: null }];
    const backlog = [{ handler: 'far', oldestPendingAt: NOW - 5_001, pending: 1, scheduled: 0 }];
    const { check } = setUp({ listed, backlog });
    const message = 'oldest pending delivery of far is 5001 ms old';
    expect(await check({ maxLag: { far: '5s' } })).toMatchObject({ events: { status: 'degraded', message } });
    expect(await check({ maxLag: '5s' })).toMatchObject({ events: { status: 'up' } });
  });

  it('when deliveries wait for a handler that no node has', async () => {
    const listed = async () => [{ name: 'gone', nodes: [], retiredAt: null }];
    const backlog = [{ handler: 'gone', pending: 3, scheduled: 2 }];
    expect(await setUp({ listed, backlog }).check()).toEqual({
      events: {
        status: 'degraded',
        ...body,
        message: 'no node has gone: 5 deliveries wait',
        absent: [{ handler: 'gone', waiting: 5 }],
      },
    });
  });
});

describe('a node is down', () => {
  it('when most of its handlers are failing', async () => {
    const handlers = { fraud: { ...notify, health: 'degraded' } } as const;
    expect(await setUp({ handlers }).check()).toMatchObject({
      events: { status: 'down', state: 'unhealthy', message: expect.stringContaining('most handlers are failing') },
    });
  });

  it.each(['draining', 'stopped'] as const)('when it is %s', async (status) => {
    expect(await setUp({ status }).check()).toEqual({
      events: { status: 'down', ...body, node: status, message: `node is ${status}` },
    });
  });

  it('when its loops are stalled', async () => {
    expect(await setUp({ stalled: true }).check()).toEqual({
      events: { status: 'down', ...body, message: 'loops are stalled' },
    });
  });

  it('when the database fails, with the reason, without a password', async () => {
    const { check } = setUp({ ping: () => Promise.reject(new Error('refused: postgres://shop:s3cret@db/shop')) });
    expect(await check()).toEqual({
      events: { status: 'down', ...body, roundTripMs: null, message: 'database: refused: postgres://***@db/shop' },
    });
  });

  it('when the database does not answer within a second, all questions together', async () => {
    const hang = () => new Promise<never>(() => {});
    const { clock, check } = setUp({ ping: hang, deadLetters: hang, listed: hang });
    let answer: unknown;
    void check({ maxDeadLetters: { notify: 3, another: 4 } }).then((given) => (answer = given));
    await clock.advance(999);
    expect(answer).toBeUndefined();
    await clock.advance(1);
    const message = 'database: no answer within 1000 ms';
    expect(answer).toEqual({ events: { status: 'down', ...body, roundTripMs: null, message } });
    expect(clock.nextTimerInMs).toBeUndefined();
  });

  it.each([
    ['dead letters', { maxDeadLetters: 3 }],
    ['dead letters', { maxDeadLetters: { notify: 3 } }],
  ])('when the %s cannot be counted: %j', async (_what, options) => {
    const { check } = setUp({ deadLetters: () => Promise.reject(new Error('no such table')) });
    expect(await check(options)).toEqual({
      events: { status: 'down', ...body, message: 'dead letters: no such table' },
    });
  });

  it('when the handlers of the cluster cannot be listed', async () => {
    const { check } = setUp({ listed: () => Promise.reject(new Error('no such table')) });
    expect(await check()).toEqual({ events: { status: 'down', ...body, message: 'handlers: no such table' } });
  });

  it.each<[string, Situation, object, string]>([
    [
      'a limit that is no duration',
      {},
      { maxLag: 'soon' },
      `option "maxLag" must be a duration from 0 ms up, such as 5000 or '30s', but is 'soon'`,
    ],
    [
      'one of a handler',
      {},
      { maxLag: { notify: 'soon' } },
      `option "maxLag.notify" must be a duration from 0 ms up, such as 5000 or '30s', but is 'soon'`,
    ],
    [
      'a limit that is no count',
      {},
      { maxDeadLetters: { notify: -1 } },
      'option "maxDeadLetters.notify" must be a whole number from 0 up, but is -1',
    ],
    [
      'a misspelt handler',
      {},
      { maxDeadLetters: { notfy: 1 } },
      'option "maxDeadLetters.notfy" must be left out: it is unknown (did you mean "notify"?), but is 1',
    ],
    [
      'a misspelt option',
      {},
      { maxlag: 1 },
      'option "maxlag" must be left out: it is unknown (did you mean "maxLag"?), but is 1',
    ],
  ])('rather than rejecting: %s', async (_what, situation, options, message) => {
    expect(await setUp(situation).check(options)).toEqual({
      events: { status: 'down', message: `EventsHealthIndicator: ${message}` },
    });
  });

  it('rather than rejecting: anything else that goes wrong', async () => {
    const snapshot = () => {
      throw new Error('bug');
    };
    expect(await setUp({ snapshot }).check()).toEqual({ events: { status: 'down', message: 'bug' } });
  });
});

describe('the liveness of a node', () => {
  it.each(['notStarted', 'running', 'paused', 'draining'] as const)('is up while it is %s, and asks nobody', (node) => {
    const { indicator, store } = setUp({ status: node, stalled: true });
    expect(indicator.liveness('events')).toEqual({ events: { status: 'up', node } });
    for (const verb of Object.values(store)) expect(verb).not.toHaveBeenCalled();
  });

  it.each<[string, Situation, string, string]>([
    ['has stopped', { status: 'stopped' }, 'stopped', 'node is stopped'],
    ['hangs', { hangs: true }, 'running', 'loops hang, although the database answers'],
  ])('is down when it %s', (_what, situation, node, message) => {
    expect(setUp(situation).indicator.liveness('events')).toEqual({ events: { status: 'down', node, message } });
  });
});
