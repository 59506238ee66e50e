import { describe, expect, it } from 'vitest';
import type { HandlerRegistry } from '../discovery/handler.registry.js';
import type { EventExecutor } from '../dispatch/event-executor.js';
import type { Maintenance } from '../maintenance/maintenance.js';
import type { HandlerBacklog } from '../store/records.js';
import { ManualClock } from '../testing/manual-clock.js';
import { Activity } from './activity.js';
import { EventsStats, type StatsCounts } from './events-stats.service.js';

const NOTHING: StatsCounts = {
  inFlight: 0,
  processed: 0,
  completed: 0,
  retried: 0,
  failed: 0,
  dead: 0,
  snoozed: 0,
  duplicates: 0,
  lost: 0,
  leaked: 0,
  circuitOpened: 0,
  backlog: 0,
  oldestPendingMs: null,
};

function setUp(names: string[], backlog: HandlerBacklog[] = [], open: string[] = []) {
  const clock = new ManualClock(10_000);
  const activity = new Activity(clock);
  const handlers = { all: () => names.map((name) => ({ name })) } as unknown as HandlerRegistry;
  const executor = {
    stateOf: (name: string) => ({ circuit: open.includes(name) ? 'open' : 'closed', paused: name === 'paused' }),
  } as unknown as EventExecutor;
  const stats = new EventsStats(handlers, activity, executor, { backlog } as unknown as Maintenance, clock);
  return { clock, activity, stats };
}

describe('a snapshot', () => {
  it('of a node without handlers is all zeros, and healthy', () => {
    expect(setUp([]).stats.snapshot()).toEqual({ handlers: {}, total: { ...NOTHING, health: 'healthy' } });
  });

  it('has each handler’s counts, backlog, circuit and health, and their sums', () => {
    const backlog = [
      { handler: 'a', pending: 3, scheduled: 4, processing: 9, dead: 9, oldestPendingAt: 7_000 },
      { handler: 'b', pending: 1, scheduled: 0, processing: 0, dead: 0, oldestPendingAt: 9_000 },
      { handler: 'elsewhere', pending: 50, scheduled: 0, processing: 0, dead: 0, oldestPendingAt: 1 },
    ];
    const { activity, stats } = setUp(['a', 'b'], backlog, ['b']);
    const [a, b] = [activity.of('a'), activity.of('b')];
    for (let n = 0; n < 5; n++) a.record(false);
    b.record(true);
    b.dead = 1;
    Object.assign(a, { inFlight: 1, retried: 2, snoozed: 3, duplicates: 7, lost: 4, leaked: 5, circuitOpened: 6 });
    const ofA = {
      ...NOTHING,
      inFlight: 1,
      processed: 5,
      completed: 5,
      retried: 2,
      snoozed: 3,
      duplicates: 7,
      lost: 4,
      leaked: 5,
      circuitOpened: 6,
    };
    const ofB = { ...NOTHING, processed: 1, failed: 1, dead: 1 };
    expect(stats.snapshot()).toEqual({
      handlers: {
        a: { ...ofA, backlog: 7, oldestPendingMs: 3_000, circuit: 'closed', paused: false, health: 'healthy' },
        b: { ...ofB, backlog: 1, oldestPendingMs: 1_000, circuit: 'open', paused: false, health: 'circuit-open' },
      },
      total: { ...ofA, processed: 6, failed: 1, dead: 1, backlog: 8, oldestPendingMs: 3_000, health: 'circuit-open' },
    });
  });

  it('shows that a handler is paused, which degrades it', () => {
    expect(setUp(['paused']).stats.snapshot().handlers).toEqual({
      paused: { ...NOTHING, circuit: 'closed', paused: true, health: 'degraded' },
    });
  });

  it('never shows a negative age, should the clock have been set back', () => {
    const backlog = [{ handler: 'a', pending: 1, scheduled: 0, processing: 0, dead: 0, oldestPendingAt: 10_500 }];
    expect(setUp(['a'], backlog).stats.snapshot().total.oldestPendingMs).toBe(0);
  });
});
