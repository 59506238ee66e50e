import { HealthIndicatorService } from '@nestjs/terminus';
import { describe, expect, it } from 'vitest';
import type { EventsNode } from '../dispatch/events-node.service.js';
import type { NodeStatus } from '../dispatch/node-status.js';
import type { EventsStats } from '../observability/events-stats.service.js';
import type { CircuitState } from '../policies/circuit-breaker.policy.js';
import type { EventStore } from '../store/event-store.js';
import { ManualClock } from '../testing/manual-clock.js';
import { EventsHealthIndicator } from './events-health.indicator.js';
import { nodeHealth, type HealthState } from './health-state.js';

interface Situation {
  readonly handlers?: Record<string, { health: HealthState; circuit: CircuitState }>;
  readonly oldestPendingMs?: number | null;
  readonly status?: NodeStatus;
  readonly stalled?: boolean;
  readonly ping?: () => Promise<number>;
  readonly deadLetters?: () => Promise<number>;
  readonly snapshot?: () => never;
}

const well = { notify: { health: 'healthy', circuit: 'closed' } } as const;

function setUp({
  handlers = well,
  oldestPendingMs = null,
  status = 'running',
  stalled = false,
  ...rest
}: Situation = {}) {
  const clock = new ManualClock();
  const health = nodeHealth(Object.values(handlers).map((handler) => handler.health));
  const stats = { snapshot: rest.snapshot ?? (() => ({ handlers, total: { health, oldestPendingMs } })) };
  const store = { ping: rest.ping ?? (async () => 0), countDeadLetters: rest.deadLetters ?? (async () => 0) };
  const indicator = new EventsHealthIndicator(
    new HealthIndicatorService(),
    store as Partial<EventStore> as EventStore,
    { status, stalled } as EventsNode,
    stats as unknown as EventsStats,
    clock,
  );
  return { clock, indicator };
}

const body = { state: 'healthy', node: 'running', handlers: { notify: { state: 'healthy', circuit: 'closed' } } };

describe('a node is up', () => {
  it('when all is well', async () => {
    const { clock, indicator } = setUp();
    expect(await indicator.isHealthy('events')).toEqual({ events: { status: 'up', ...body } });
    expect(clock.nextTimerInMs).toBeUndefined();
  });

  it('without handlers', async () => {
    expect(await setUp({ handlers: {} }).indicator.isHealthy('events')).toEqual({
      events: { status: 'up', state: 'healthy', node: 'running', handlers: {} },
    });
  });

  it('exactly at its thresholds', async () => {
    const { indicator } = setUp({ oldestPendingMs: 5_000, deadLetters: async () => 3 });
    expect(await indicator.isHealthy('events', { maxLag: '5s', maxDeadLetters: 3 })).toEqual({
      events: { status: 'up', ...body },
    });
  });
});

describe('a node is degraded', () => {
  it('when a circuit is open, and says which', async () => {
    const handlers = { ...well, fraud: { health: 'circuit-open', circuit: 'open' } } as const;
    expect(await setUp({ handlers }).indicator.isHealthy('events')).toEqual({
      events: {
        status: 'degraded',
        state: 'circuit-open',
        node: 'running',
        message: 'circuit-open',
        handlers: { ...body.handlers, fraud: { state: 'circuit-open', circuit: 'open' } },
      },
    });
  });

  it('when a share of its handlers is failing', async () => {
    const handlers = { ...well, fraud: { health: 'degraded', circuit: 'half-open' } } as const;
    expect(await setUp({ handlers }).indicator.isHealthy('events')).toMatchObject({
      events: { status: 'degraded', state: 'degraded', message: 'degraded' },
    });
  });

  it('when it is paused', async () => {
    expect(await setUp({ status: 'paused' }).indicator.isHealthy('events')).toEqual({
      events: { status: 'degraded', ...body, node: 'paused', message: 'node is paused' },
    });
  });

  it('when a threshold is passed', async () => {
    const { indicator } = setUp({ oldestPendingMs: 5_001, deadLetters: async () => 4 });
    expect(await indicator.isHealthy('events', { maxLag: '5s', maxDeadLetters: 3 })).toEqual({
      events: { status: 'degraded', ...body, message: 'oldest pending delivery is 5001 ms old; 4 dead letters' },
    });
  });
});

describe('a node is down', () => {
  it('when most of its handlers are failing', async () => {
    const handlers = { fraud: { health: 'degraded', circuit: 'closed' } } as const;
    expect(await setUp({ handlers }).indicator.isHealthy('events')).toMatchObject({
      events: { status: 'down', state: 'unhealthy', message: expect.stringContaining('most handlers are failing') },
    });
  });

  it.each(['draining', 'stopped'] as const)('when it is %s', async (status) => {
    expect(await setUp({ status }).indicator.isHealthy('events')).toEqual({
      events: { status: 'down', ...body, node: status, message: `node is ${status}` },
    });
  });

  it('when its loops are stalled', async () => {
    expect(await setUp({ stalled: true }).indicator.isHealthy('events')).toEqual({
      events: { status: 'down', ...body, message: 'loops are stalled' },
    });
  });

  it('when the database fails, with the reason', async () => {
    const { indicator } = setUp({ ping: () => Promise.reject(new Error('connection refused')) });
    expect(await indicator.isHealthy('events')).toEqual({
      events: { status: 'down', ...body, message: 'database: connection refused' },
    });
  });

  it('when the database does not answer within a second, both questions together', async () => {
    const hang = () => new Promise<number>(() => {});
    const { clock, indicator } = setUp({ ping: hang, deadLetters: hang });
    let answer: unknown;
    void indicator.isHealthy('events', { maxDeadLetters: 3 }).then((given) => (answer = given));
    await clock.advance(999);
    expect(answer).toBeUndefined();
    await clock.advance(1);
    expect(answer).toEqual({ events: { status: 'down', ...body, message: 'database: no answer within 1000 ms' } });
    expect(clock.nextTimerInMs).toBeUndefined();
  });

  it('when the dead letters cannot be counted', async () => {
    const { indicator } = setUp({ deadLetters: () => Promise.reject(new Error('no such table')) });
    expect(await indicator.isHealthy('events', { maxDeadLetters: 3 })).toEqual({
      events: { status: 'down', ...body, message: 'dead letters: no such table' },
    });
  });

  it.each([
    [
      'a threshold that is no duration',
      {},
      { maxLag: 'soon' as '1s' },
      "isHealthy: maxLag must be a duration, but is 'soon'",
    ],
    [
      'anything else that goes wrong',
      {
        snapshot: () => {
          throw new Error('bug');
        },
      },
      {},
      'bug',
    ],
  ])('rather than rejecting: %s', async (_what, situation, options, message) => {
    expect(await setUp(situation).indicator.isHealthy('events', options)).toEqual({
      events: { status: 'down', message },
    });
  });
});
