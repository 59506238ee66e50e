/** Scope: which links the chain has, and their order, outermost first. */
import { describe, expect, it } from 'vitest';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import { EventsLogger } from '../observability/events-logger.js';
import { Activity } from '../observability/activity.js';
import { EventTracing } from '../observability/tracing/event-tracing.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { ManualClock } from '../testing/manual-clock.js';
import { chainLinks } from './chain.js';
import { Circuits } from './circuits.js';
import { Deadlines } from './deadlines.js';
import type { ContextHeaders } from './context-headers.js';
import type { EventMiddleware } from './middleware.js';
import { RateLimits } from './rate-limits.js';

class First implements EventMiddleware {
  invoke = (_invocation: unknown, next: () => Promise<void>) => next();
}

class Second extends First {}

const contextHeaders: ContextHeaders = { capture: () => ({}), restore: (_headers, run) => run() };

function namesWith(middleware: (typeof First)[] = [], contextHeaders?: ContextHeaders): string[] {
  const clock = new ManualClock();
  const store = new MemoryStore(clock);
  const logger = new EventsLogger('spec');
  const links = chainLinks({
    clock,
    logger,
    lifecycle: new EventLifecycle(),
    activity: new Activity(clock),
    tracing: new EventTracing({ tracing: { parent: 'link' } }, clock),
    readFailures: () => Promise.resolve([]),
    contextHeaders,
    middleware: middleware.map((type) => ({ type, get: () => new type() })),
    limits: new RateLimits(store, clock),
    keys: store,
    circuits: new Circuits([], {
      store,
      clock,
      logger,
      lifecycle: new EventLifecycle(),
      onChange: () => undefined,
      onMoved: () => undefined,
    }),
    deadlines: new Deadlines(clock),
    readPayload: (seq) => store.payload(seq),
    onLeak: () => undefined,
  });
  return links.map(({ name }) => name);
}

describe('the chain', () => {
  it('goes from the trace to the timeout: what refuses is outside of what counts', () => {
    expect(namesWith()).toEqual(['tracing', 'metrics', 'payload', 'rateLimit', 'idempotency', 'circuit', 'timeout']);
  });

  it('guards the application’s context, which may hang, also without middleware', () => {
    expect(namesWith([], contextHeaders).slice(0, 5)).toEqual(['tracing', 'metrics', 'payload', 'guard', 'context']);
  });

  it('has the application’s context, then its middleware in the order given, around all that limits a handler', () => {
    expect(namesWith([First, Second], contextHeaders)).toEqual([
      'tracing',
      'metrics',
      'payload',
      'guard',
      'context',
      'First',
      'Second',
      'rateLimit',
      'idempotency',
      'circuit',
      'timeout',
    ]);
  });
});
