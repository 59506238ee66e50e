import { describe, expect, it } from 'vitest';
import type { ResolvedHandlerOptions } from '../discovery/on-event.options.js';
import { DeliveredEvent } from '../envelope/delivered-event.js';
import { HandlerActivity } from '../observability/handler-activity.js';
import { CircuitBreaker } from '../policies/circuit-breaker.policy.js';
import { RetryPolicy } from '../policies/retry.policy.js';
import type { ClaimedDelivery, StoredEvent } from '../store/records.js';
import { ManualClock } from '../testing/manual-clock.js';
import { noteRest, planClaim } from './claim-planner.js';
import { HandlerSlot } from './handler-slot.js';

const clock = new ManualClock();
const retry = {
  maxAttempts: 5,
  backoff: 'fixed',
  initialDelayMs: 1,
  maxDelayMs: 1,
  jitter: 'none',
  retryIf: undefined,
} as const;
const circuit = {
  failureThreshold: 1,
  failureRate: 0.1,
  successThreshold: 1,
  openDurationMs: 1_000,
  windowMs: 1_000,
  halfOpenConcurrency: 2,
};

interface State {
  readonly concurrency?: number;
  readonly running?: number;
  readonly held?: number;
  /** How long its attempts take; unknown before the first. */
  readonly meanMs?: number;
  readonly breaker?: CircuitBreaker;
}

function slot(name: string, { concurrency = 10, running = 0, held = 0, meanMs, breaker }: State = {}): HandlerSlot {
  const options: ResolvedHandlerOptions = { priority: 50, concurrency, timeoutMs: 1_000, retry, circuit };
  const definition = { name, source: name, patterns: [], definitions: new Map(), options, call: () => undefined };
  const made = new HandlerSlot(definition, new RetryPolicy(retry, Math.random), breaker, new HandlerActivity(clock));
  made.running = running;
  if (meanMs !== undefined) made.measure(meanMs);
  for (let id = 1; id <= held; id++)
    made.enqueue({ delivery: delivery(name, id), event: new DeliveredEvent(event), node: 1 });
  return made;
}

const event: StoredEvent = {
  seq: 1,
  id: 'e',
  type: 'a.b',
  version: 1,
  payload: '{}',
  headers: null,
  orderingKey: null,
  priority: null,
  occurredAt: 0,
  receivedAt: 0,
};

function delivery(handler: string, id: number): ClaimedDelivery {
  return { id, claims: 1, handler, priority: 50, attempts: 0, crashes: 0, event };
}

const limits = { concurrency: 100, batchSize: 500, running: 0 };

describe('a plan', () => {
  it('asks for what can start at once while it is not known how quick a handler is', () => {
    const slots = [
      slot('a', { concurrency: 3 }),
      slot('b', { concurrency: 5, running: 4 }),
      slot('c', { concurrency: 2, running: 2 }),
    ];
    expect(planClaim(slots, { ...limits, running: 6 })).toEqual({
      wants: [
        { handler: 'a', limit: 3 },
        { handler: 'b', limit: 1 },
      ],
      limit: 94,
    });
  });

  it('never asks for more than the node-wide limit leaves free', () => {
    const slots = [slot('a'), slot('b')];
    expect(planClaim(slots, { concurrency: 12, batchSize: 500, running: 8 })).toEqual({
      wants: [
        { handler: 'a', limit: 4 },
        { handler: 'b', limit: 4 },
      ],
      limit: 4,
    });
    expect(planClaim(slots, { concurrency: 8, batchSize: 500, running: 8 })).toEqual({ wants: [], limit: 0 });
  });

  it('asks ahead for quick handlers, 50 ms of their work, and for whole batches at most', () => {
    expect(planClaim([slot('a', { meanMs: 10 })], limits)).toEqual({
      wants: [{ handler: 'a', limit: 60 }],
      limit: 150,
    });
    expect(planClaim([slot('a', { meanMs: 0 })], limits)).toEqual({
      wants: [{ handler: 'a', limit: 500 }],
      limit: 500,
    });
    expect(planClaim([slot('a', { meanMs: 501 })], limits)).toEqual({
      wants: [{ handler: 'a', limit: 10 }],
      limit: 100,
    });
  });

  it('asks again only when half of what is held is done, so claims stay large', () => {
    const busy = (held: number) =>
      planClaim([slot('a', { meanMs: 10, running: 10, held })], { ...limits, running: 10 }).wants;
    expect(busy(26)).toEqual([]);
    expect(busy(25)).toEqual([{ handler: 'a', limit: 25 }]);
  });

  it('leaves the others their room when a handler holds much and has become slow', () => {
    const slow = slot('slow', { running: 10, held: 490, meanMs: 30_000 });
    expect(planClaim([slow, slot('b')], { ...limits, running: 10 })).toEqual({
      wants: [{ handler: 'b', limit: 10 }],
      limit: 90,
    });
  });

  it('asks nothing for an open circuit, and as many trials as it may have for a half-open one', async () => {
    const breaker = new CircuitBreaker(circuit, () => clock.monotonic());
    const guarded = slot('a', { breaker, meanMs: 1 });
    breaker.fail(breaker.begin());
    expect(planClaim([guarded], limits)).toEqual({ wants: [], limit: 100 });
    expect(guarded.maybeMore).toBe(false);
    await clock.advance(1_000);
    expect(planClaim([guarded], limits)).toEqual({ wants: [{ handler: 'a', limit: 2 }], limit: 100 });
    guarded.running = 1;
    expect(planClaim([guarded], limits).wants).toEqual([{ handler: 'a', limit: 1 }]);
  });
});

describe('after a claim', () => {
  it('only a handler that got all it wanted may have more, if nothing else bound', () => {
    const slots = new Map(['a', 'b', 'c'].map((name) => [name, slot(name, { concurrency: 2 })]));
    const plan = planClaim(slots.values(), limits);
    noteRest(slots, plan, [delivery('a', 1), delivery('a', 2), delivery('b', 3)]);
    expect([...slots].map(([name, { maybeMore }]) => [name, maybeMore])).toEqual([
      ['a', true],
      ['b', false],
      ['c', false],
    ]);
  });

  it('any handler may have more when the limit over all of them bound', () => {
    const slots = new Map(['a', 'b'].map((name) => [name, slot(name, { concurrency: 2 })]));
    const plan = planClaim(slots.values(), { ...limits, concurrency: 2 });
    noteRest(slots, plan, [delivery('a', 1), delivery('a', 2)]);
    expect([...slots.values()].map(({ maybeMore }) => maybeMore)).toEqual([true, true]);
  });
});

describe('a handler’s queue', () => {
  it('is in order of priority, then of age, whatever the order of claims', () => {
    const queue = slot('a');
    for (const [id, priority] of [
      [4, 50],
      [2, 50],
      [9, 10],
      [3, 90],
      [1, 50],
    ] as const) {
      queue.enqueue({ delivery: { ...delivery('a', id), priority }, event: new DeliveredEvent(event), node: 1 });
    }
    expect(queue.queue.map(({ delivery: { id } }) => id)).toEqual([9, 1, 2, 4, 3]);
  });

  it('is worth keeping as far as it can begin within a second', () => {
    expect(slot('a').keepable).toBeGreaterThan(500);
    expect(slot('a', { meanMs: 20 }).keepable).toBe(500);
    expect(slot('a', { meanMs: 30_000 }).keepable).toBe(0);
  });
});
