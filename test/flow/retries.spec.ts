/** When a failed attempt is tried again, and when it is dead, on a clock that stands still. */
import { Injectable } from '@nestjs/common';
import {
  DeadLetters,
  DeliveryContext,
  EventInbox,
  EventMessage,
  EventPublisher,
  EventsStats,
  OnEvent,
  PermanentError,
  RetryableError,
} from 'nestjs-durable-events';
import { afterEach, describe, expect, it } from 'vitest';
import { closeManualApps, manualApp } from '../support/manual-app.js';

afterEach(closeManualApps);

describe('retries', () => {
  it.each([
    ['fixed', [1_000, 1_000, 1_000, 1_000]],
    ['linear', [1_000, 2_000, 3_000, 4_000]],
    ['exponential', [1_000, 2_000, 4_000, 8_000]],
    ['quadratic', [1_000, 4_000, 9_000, 16_000]],
  ] as const)('wait exactly their %s backoff, then the delivery is dead', async (backoff, waits) => {
    const startedAt: number[] = [];
    @Injectable()
    class Failing {
      @OnEvent('a.b', {
        name: 'failing',
        circuit: false,
        retry: { maxAttempts: 5, backoff, jitter: 'none', maxDelay: '1h' },
      })
      run(_event: EventMessage, context: DeliveryContext): void {
        startedAt.push(clock.now());
        throw new Error(`attempt ${context.attempt} of ${context.maxAttempts}`);
      }
    }
    const { app, clock } = await manualApp([Failing]);
    const { id } = await app.get(EventPublisher).publish('a.b', {});
    await clock.advance(0);
    for (const [index, wait] of waits.entries()) {
      await clock.advance(wait - 1);
      expect(startedAt).toHaveLength(index + 1);
      await clock.advance(1);
      expect(startedAt).toHaveLength(index + 2);
    }
    expect(startedAt.slice(1).map((at, index) => at - startedAt[index])).toEqual(waits);

    const [delivery] = await app.get(EventInbox).deliveries(id);
    expect(delivery).toMatchObject({ handler: 'failing', state: 'dead', reason: 'exhausted', attempts: 5 });
    expect(delivery.failures.map(({ attempt, name, message, at }) => [attempt, name, message, at.getTime()])).toEqual(
      startedAt.map((at, index) => [index + 1, 'Error', `attempt ${index + 1} of 5`, at]),
    );
    expect(delivery.failures[0].stack).toContain('retries.spec.ts');
    expect(await app.get(DeadLetters).count()).toBe(1);
  });

  it('obey retryAfter, and a redrive gives a fresh set of attempts', async () => {
    const attempts: number[] = [];
    let healthy = false;
    @Injectable()
    class Failing {
      @OnEvent('a.b', { retry: { maxAttempts: 2 } })
      run(_event: EventMessage, context: DeliveryContext): void {
        attempts.push(context.attempt);
        if (!healthy) throw new RetryableError('later', { retryAfter: '7s' });
      }
    }
    const { app, clock } = await manualApp([Failing]);
    const { id } = await app.get(EventPublisher).publish('a.b', {});
    await clock.advance(6_999);
    expect(attempts).toEqual([1]);
    await clock.advance(1);
    expect(attempts).toEqual([1, 2]);

    healthy = true;
    expect(await app.get(DeadLetters).redrive({ reason: 'exhausted' })).toBe(1);
    await clock.advance(0);
    expect(attempts).toEqual([1, 2, 1]);
    const [delivery] = await app.get(EventInbox).deliveries(id);
    expect(delivery).toMatchObject({ state: 'completed', attempts: 1 });
    expect(delivery.failures).toHaveLength(2);
  });

  it('are not tried after a PermanentError, wherever it is, nor when retryIf says no', async () => {
    @Injectable()
    class Failing {
      @OnEvent('direct', { name: 'direct' })
      direct(): void {
        throw new PermanentError('never');
      }

      @OnEvent('direct', { name: 'as a cause' })
      asCause(): void {
        throw new Error('outer', { cause: new PermanentError('never') });
      }

      @OnEvent('direct', { name: 'retryIf', retry: { retryIf: (error) => (error as Error).message !== 'hopeless' } })
      hopeless(): void {
        throw new Error('hopeless');
      }

      @OnEvent('direct', { name: 'retry false', retry: false })
      once(): void {
        throw new Error('once');
      }
    }
    const { app, clock } = await manualApp([Failing]);
    const { id } = await app.get(EventPublisher).publish('direct', {});
    await clock.advance(0);
    const deliveries = await app.get(EventInbox).deliveries(id);
    expect(deliveries.map(({ handler, state, reason, attempts }) => [handler, state, reason, attempts])).toEqual([
      ['direct', 'dead', 'rejected', 1],
      ['as a cause', 'dead', 'rejected', 1],
      ['retryIf', 'dead', 'rejected', 1],
      ['retry false', 'dead', 'exhausted', 1],
    ]);
    expect(deliveries[1].failures[0].causes).toMatchObject([{ name: 'PermanentError', message: 'never' }]);
  });

  it.each([
    ['a text', 'just a text'],
    ['null', null],
    ['undefined', undefined],
    [
      'an error that cannot be read',
      new Proxy(new Error('x'), {
        get: () => {
          throw new Error('no');
        },
      }),
    ],
  ])('follow %s that was thrown as they follow an error', async (_, thrown) => {
    let runs = 0;
    @Injectable()
    class Throwing {
      @OnEvent('a.b', { retry: { maxAttempts: 2, initialDelay: 10, jitter: 'none' } })
      async run(): Promise<void> {
        runs++;
        throw thrown;
      }
    }
    const { app, clock } = await manualApp([Throwing]);
    const { id } = await app.get(EventPublisher).publish('a.b', {});
    await clock.advance(10);
    expect(runs).toBe(2);
    expect(await app.get(EventInbox).deliveries(id)).toMatchObject([
      { state: 'dead', reason: 'exhausted', attempts: 2 },
    ]);
    expect(app.get(EventsStats).snapshot().total).toMatchObject({ inFlight: 0, failed: 2, retried: 1, dead: 1 });
  });
});
