/** Delays, limits, order, timeouts, circuits, pause and cancel, on a clock that stands still. */
import { Injectable } from '@nestjs/common';
import {
  DeliveryContext,
  EventInbox,
  EventMessage,
  EventPublisher,
  EventsNode,
  EventsStats,
  OnEvent,
  PermanentError,
} from 'nestjs-durable-events';
import { afterEach, describe, expect, it } from 'vitest';
import { closeManualApps, manualApp } from '../support/manual-app.js';

afterEach(closeManualApps);

describe('delays and snoozes', () => {
  it('a delayed event starts at its moment, and a snooze spends no attempt', async () => {
    const runs: [number, number][] = [];
    @Injectable()
    class Sleepy {
      @OnEvent('a.b')
      run(_event: EventMessage, context: DeliveryContext): void {
        runs.push([clock.monotonic(), context.attempt]);
        if (runs.length < 3) context.snooze('5s');
      }
    }
    const { app, clock } = await manualApp([Sleepy]);
    const { id } = await app.get(EventPublisher).publish('a.b', {}, { delay: '1m' });
    expect(await app.get(EventInbox).deliveries(id)).toMatchObject([{ state: 'scheduled', attempts: 0 }]);
    await clock.advance(120_000);
    expect(runs).toEqual([
      [60_000, 1],
      [65_000, 1],
      [70_000, 1],
    ]);
    expect(await app.get(EventInbox).deliveries(id)).toMatchObject([{ state: 'completed', attempts: 1, failures: [] }]);
    expect(app.get(EventsStats).snapshot().total).toMatchObject({ snoozed: 2, completed: 1, failed: 0 });
  });
});

describe('limits and order', () => {
  it('never more of one handler than its concurrency, never more in all than the node allows', async () => {
    const running = { one: 0, two: 0 };
    const highest = { one: 0, two: 0, both: 0 };
    const ends: (() => void)[] = [];
    const work = async (handler: 'one' | 'two') => {
      running[handler]++;
      highest[handler] = Math.max(highest[handler], running[handler]);
      highest.both = Math.max(highest.both, running.one + running.two);
      await new Promise<void>((resolve) => ends.push(resolve));
      running[handler]--;
    };
    @Injectable()
    class Busy {
      @OnEvent('a.b', { concurrency: 3, timeout: '1h' })
      one(): Promise<void> {
        return work('one');
      }

      @OnEvent('a.b', { concurrency: 10, timeout: '1h' })
      two(): Promise<void> {
        return work('two');
      }
    }
    const { app, clock } = await manualApp([Busy], { concurrency: 5 });
    await app.get(EventPublisher).publishAll(Array.from({ length: 30 }, () => ({ event: 'a.b', payload: {} })));
    for (let ended = 0; ended < 60; ended++) {
      await clock.advance(0);
      expect(running.one + running.two).toBe(Math.min(5, 60 - ended));
      ends.shift()?.();
    }
    await clock.advance(0);
    expect(highest).toMatchObject({ one: 3, both: 5 });
    expect(app.get(EventsStats).snapshot().total).toMatchObject({ inFlight: 0, completed: 60 });
  });

  it('lower priority first, then older, within a handler and across handlers', async () => {
    const order: string[] = [];
    @Injectable()
    class Ordered {
      @OnEvent('a.b', { priority: 20 })
      later({ payload }: EventMessage<{ n: number }>): void {
        order.push(`later ${payload.n}`);
      }

      @OnEvent('a.b', { priority: 10 })
      sooner({ payload }: EventMessage<{ n: number }>): void {
        order.push(`sooner ${payload.n}`);
      }
    }
    const { app, clock } = await manualApp([Ordered], { concurrency: 1 });
    const publisher = app.get(EventPublisher);
    await app.get(EventsNode).pause();
    await publisher.publish('a.b', { n: 1 });
    await publisher.publish('a.b', { n: 2 });
    await publisher.publish('a.b', { n: 3 }, { priority: 5 });
    await app.get(EventsNode).resume();
    await clock.advance(5_000);
    expect(order).toEqual(['later 3', 'sooner 3', 'sooner 1', 'sooner 2', 'later 1', 'later 2']);
  });
});

describe('timeouts', () => {
  it('abort the signal, free the slot and count as failure; a run that goes on cannot complete a later attempt', async () => {
    const reasons: unknown[] = [];
    const ends: (() => void)[] = [];
    @Injectable()
    class Hanging {
      @OnEvent('a.b', {
        name: 'hanging',
        timeout: '10s',
        concurrency: 1,
        retry: { initialDelay: 100, jitter: 'none', maxAttempts: 3 },
      })
      async run(_event: EventMessage, { signal }: DeliveryContext): Promise<void> {
        signal.addEventListener('abort', () => reasons.push(signal.reason));
        await new Promise<void>((resolve) => ends.push(resolve));
      }
    }
    const { app, clock } = await manualApp([Hanging]);
    const stats = () => app.get(EventsStats).snapshot().handlers['hanging'];
    const { id } = await app.get(EventPublisher).publish('a.b', {});
    await clock.advance(9_999);
    expect(stats()).toMatchObject({ inFlight: 1, failed: 0, leaked: 0 });
    await clock.advance(1);
    expect(reasons).toMatchObject([{ code: 'EVENTS_HANDLER_TIMEOUT', handler: 'hanging', timeoutMs: 10_000 }]);
    expect(stats()).toMatchObject({ inFlight: 0, failed: 1, leaked: 1 });

    await clock.advance(100);
    expect(stats()).toMatchObject({ inFlight: 1, leaked: 1 });
    // The first run ends now, while the second is under way: that changes nothing but the count of leaks.
    ends[0]();
    await clock.advance(0);
    expect(stats()).toMatchObject({ inFlight: 1, leaked: 0, completed: 0 });
    ends[1]();
    await clock.advance(0);
    expect(await app.get(EventInbox).deliveries(id)).toMatchObject([
      { state: 'completed', attempts: 2, failures: [{ name: 'HandlerTimeoutError', attempt: 1, durationMs: 10_000 }] },
    ]);
  });
});

describe('the circuit breaker', () => {
  it('while open nothing is claimed and no attempt spent; one trial at a time, successes close it, and the backlog comes back step by step', async () => {
    let broken = true;
    let runs = 0;
    let running = 0;
    const ends: (() => void)[] = [];
    @Injectable()
    class Flaky {
      @OnEvent('a.b', {
        name: 'flaky',
        concurrency: 4,
        retry: { maxAttempts: 2, initialDelay: '1m', jitter: 'none' },
        circuit: { failureThreshold: 4, openDuration: '30s', successThreshold: 2 },
      })
      async run(): Promise<void> {
        runs++;
        if (broken) throw new Error('down');
        running++;
        await new Promise<void>((resolve) => ends.push(resolve));
        running--;
      }
    }
    const { app, clock } = await manualApp([Flaky]);
    const circuit = () => app.get(EventsStats).snapshot().handlers['flaky'].circuit;
    const receipts = await app
      .get(EventPublisher)
      .publishAll(Array.from({ length: 20 }, () => ({ event: 'a.b', payload: {} })));
    await clock.advance(0);
    expect(circuit()).toBe('open');
    expect(runs).toBe(4);
    await clock.advance(29_999);
    expect(runs).toBe(4);
    const [waiting] = await app.get(EventInbox).deliveries(receipts[19].id);
    expect(waiting).toMatchObject({ state: 'pending', attempts: 0, failures: [] });

    broken = false;
    await clock.advance(1);
    expect(circuit()).toBe('half-open');
    expect(running).toBe(1);
    ends.shift()?.();
    await clock.advance(0);
    expect([circuit(), running]).toEqual(['half-open', 1]);
    ends.shift()?.();
    await clock.advance(0);
    expect(circuit()).toBe('closed');
    // The backlog comes back one more at a time, up to the handler's concurrency.
    const runningThen = [running];
    for (let left = 14; left > 0; left--) {
      ends.shift()?.();
      await clock.advance(0);
      runningThen.push(running);
    }
    expect(runningThen).toEqual([1, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 3, 2, 1, 0]);
    expect(app.get(EventsStats).snapshot().handlers['flaky']).toMatchObject({
      completed: 16,
      failed: 4,
      circuitOpened: 1,
    });
  });

  it('does not count a PermanentError', async () => {
    @Injectable()
    class Rejecting {
      @OnEvent('a.b', { name: 'rejecting', circuit: { failureThreshold: 1 } })
      run(): void {
        throw new PermanentError('no');
      }
    }
    const { app, clock } = await manualApp([Rejecting]);
    await app.get(EventPublisher).publishAll(Array.from({ length: 20 }, () => ({ event: 'a.b', payload: {} })));
    await clock.advance(0);
    expect(app.get(EventsStats).snapshot().handlers['rejecting']).toMatchObject({ circuit: 'closed', dead: 20 });
  });
});

describe.each(['concurrent', 'cooperative'] as const)('the %s scheduler', (scheduler) => {
  it('delivers, pauses and resumes', async () => {
    const seen: number[] = [];
    @Injectable()
    class Seeing {
      @OnEvent('a.b')
      run({ payload }: EventMessage<{ n: number }>): void {
        seen.push(payload.n);
      }
    }
    const { app, clock } = await manualApp([Seeing], { scheduler });
    const publisher = app.get(EventPublisher);
    const node = app.get(EventsNode);
    expect(node.status).toBe('running');
    await publisher.publish('a.b', { n: 1 });
    await clock.advance(0);
    expect(seen).toEqual([1]);

    await node.pause();
    await publisher.publish('a.b', { n: 2 });
    await clock.advance(60_000);
    expect([seen, node.status]).toEqual([[1], 'paused']);
    await node.resume();
    await clock.advance(0);
    expect([seen, node.status]).toEqual([[1, 2], 'running']);
    await app.close();
    expect(node.status).toBe('stopped');
  });
});

describe('cancel', () => {
  it('stops a delivery that waits and one that runs', async () => {
    const aborted: string[] = [];
    @Injectable()
    class Slow {
      @OnEvent('a.b', { concurrency: 1 })
      run({ id }: EventMessage, { signal }: DeliveryContext): Promise<void> {
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            aborted.push(id);
            reject(signal.reason as Error);
          });
        });
      }
    }
    const { app, clock } = await manualApp([Slow]);
    const publisher = app.get(EventPublisher);
    const inbox = app.get(EventInbox);
    const { id: first } = await publisher.publish('a.b', {});
    const { id: second } = await publisher.publish('a.b', {});
    await clock.advance(0);
    const [running] = await inbox.deliveries(first);
    const [waiting] = await inbox.deliveries(second);
    expect([running.state, waiting.state]).toEqual(['processing', 'pending']);

    expect(await inbox.cancel(waiting.id)).toBe(true);
    expect(await inbox.cancel(running.id)).toBe(true);
    expect(await inbox.cancel(running.id)).toBe(false);
    await clock.advance(0);
    expect(aborted).toEqual([first]);
    expect(await inbox.deliveries(first)).toMatchObject([{ state: 'cancelled', attempts: 0 }]);
    expect(await inbox.deliveries(second)).toMatchObject([{ state: 'cancelled', attempts: 0 }]);
    expect(app.get(EventsStats).snapshot().total).toMatchObject({ inFlight: 0, failed: 0, completed: 0 });
  });
});
