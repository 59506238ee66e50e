/** Handlers that take too long, and the limit of what runs at once whatever else goes wrong; on a clock that stands still. */
import { Injectable } from '@nestjs/common';
import {
  DeliveryContext,
  EventInbox,
  EventMessage,
  type EventMiddleware,
  EventPublisher,
  EventsStats,
  type Invocation,
  OnEvent,
} from 'nestjs-durable-events';
import { afterEach, describe, expect, it } from 'vitest';
import { publish, range, states } from '../support/dispatch-scene.js';
import { closeManualApps, manualApp, type ManualApp } from '../support/manual-app.js';
import { LogLines } from '../support/shop-app.js';

afterEach(closeManualApps);

const stats = ({ app }: ManualApp, handler: string) => {
  const { inFlight, completed, retried, failed, dead, leaked } = app.get(EventsStats).snapshot().handlers[handler];
  return { inFlight, completed, retried, failed, dead, leaked };
};

/** One slot, one attempt in 10 s; what a run does about its signal is the test's. */
async function slow(run: (context: DeliveryContext) => Promise<void>) {
  const starts: string[] = [];
  @Injectable()
  class Slow {
    @OnEvent('slow.work', {
      name: 'slow',
      concurrency: 1,
      timeout: '10s',
      circuit: false,
      retry: { jitter: 'none', initialDelay: '1h', maxDelay: '1h' },
    })
    run({ id }: EventMessage, context: DeliveryContext): Promise<void> {
      starts.push(id);
      return run(context);
    }
  }
  const log = new LogLines();
  return { ...(await manualApp([Slow], {}, { log })), starts, log };
}

describe('a handler that overruns its timeout', () => {
  it('is aborted at that moment with the reason, and counted as a failure; the next begins at once', async () => {
    const reasons: unknown[] = [];
    const heeding = ({ signal }: DeliveryContext) =>
      new Promise<void>((_, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason);
          reject(signal.reason as Error);
        });
      });
    const setting = await slow(heeding);
    await publish(setting, 'slow.work', ['a', 'b']);
    await setting.clock.advance(9_999);
    expect([setting.starts, stats(setting, 'slow').inFlight, reasons]).toEqual([['a'], 1, []]);
    await setting.clock.advance(1);
    expect(reasons).toMatchObject([{ code: 'EVENTS_HANDLER_TIMEOUT', handler: 'slow', timeoutMs: 10_000 }]);
    expect([setting.starts, await states(setting, ['a', 'b'])]).toEqual([
      ['a', 'b'],
      ['scheduled 1', 'processing 0'],
    ]);
    expect(stats(setting, 'slow')).toEqual({ inFlight: 1, completed: 0, retried: 1, failed: 1, dead: 0, leaked: 0 });
    expect(setting.log.matching(/goes on/)).toEqual([]);
  });

  it('and ignores its signal frees its slot, is logged once, and is counted apart until it ends', async () => {
    const ends: (() => void)[] = [];
    const setting = await slow(() => new Promise<void>((resolve) => ends.push(resolve)));
    await publish(setting, 'slow.work', ['a', 'b']);
    await setting.clock.advance(10_000);
    expect([setting.starts, stats(setting, 'slow')]).toEqual([
      ['a', 'b'],
      { inFlight: 1, completed: 0, retried: 1, failed: 1, dead: 0, leaked: 1 },
    ]);
    await setting.clock.advance(10_000);
    expect(stats(setting, 'slow')).toEqual({ inFlight: 0, completed: 0, retried: 2, failed: 2, dead: 0, leaked: 2 });
    expect(setting.log.matching(/goes on/)).toEqual(
      ['a, delivery 1', 'b, delivery 2'].map((which) =>
        expect.stringMatching(new RegExp(`^warn: slow, event slow.work ${which}, attempt 1: goes on although`)),
      ),
    );
    ends[0]();
    await setting.clock.advance(0);
    expect(stats(setting, 'slow').leaked).toBe(1);
    ends[1]();
    await setting.clock.advance(0);
    expect(stats(setting, 'slow').leaked).toBe(0);
    // Neither late end has completed anything.
    expect(await states(setting, ['a', 'b'])).toEqual(['scheduled 1', 'scheduled 1']);
  });

  it('can commit nothing any more: a late context.transaction is refused, and its work not run to the end', async () => {
    const late: { go: () => void; came: Promise<unknown> }[] = [];
    const setting = await slow(async (context) => {
      let go = (): void => undefined;
      const goes = new Promise<void>((resolve) => (go = resolve));
      const came = goes
        .then(() => context.transaction(() => Promise.resolve('written')))
        .catch((error: unknown) => error);
      late.push({ go, came });
      await came;
    });
    await publish(setting, 'slow.work', ['a']);
    await setting.clock.advance(10_000);
    late[0].go();
    expect(await late[0].came).toMatchObject({ code: 'EVENTS_HANDLER_TIMEOUT' });
    await setting.clock.advance(0);
    expect(await states(setting, ['a'])).toEqual(['scheduled 1']);
  });

  it('together with a middleware that hangs takes no more than twice the timeout', async () => {
    @Injectable()
    class Hanging implements EventMiddleware {
      invoke(_invocation: Invocation, _next: () => Promise<void>): Promise<void> {
        return new Promise(() => {});
      }
    }
    @Injectable()
    class Quick {
      @OnEvent('quick.work', { name: 'quick', timeout: '10s', circuit: false, retry: false })
      run(): void {}
    }
    const setting = await manualApp([Quick, Hanging], { middleware: [Hanging] });
    await publish(setting, 'quick.work', ['a']);
    await setting.clock.advance(19_999);
    expect(stats(setting, 'quick').inFlight).toBe(1);
    await setting.clock.advance(1);
    expect(stats(setting, 'quick')).toEqual({ inFlight: 0, completed: 0, retried: 0, failed: 1, dead: 1, leaked: 0 });
  });
});

describe('the concurrency of a handler', () => {
  it('holds at every instant under failures, timeouts and snoozes; in the end nothing is in hand', async () => {
    const concurrency = 4;
    let running = 0;
    let most = 0;
    /** Of runs that have not been aborted: those are leaks. */
    const run = async (signal: AbortSignal, work: () => Promise<void>) => {
      most = Math.max(most, ++running);
      let ended = false;
      const end = () => {
        if (!ended) running--;
        ended = true;
      };
      signal.addEventListener('abort', end);
      await work().finally(end);
    };
    @Injectable()
    class Mixed {
      @OnEvent('mixed.work', {
        name: 'mixed',
        concurrency,
        timeout: '2s',
        circuit: false,
        retry: { maxAttempts: 4, initialDelay: '700ms', backoff: 'fixed', jitter: 'none' },
      })
      async handle({ payload }: EventMessage<{ n: number }>, context: DeliveryContext): Promise<void> {
        const { attempt, signal } = context;
        const { n } = payload;
        await run(signal, async () => {
          await new Promise<void>((resolve) => clock.setTimeout(resolve, (n * 37) % 500));
          if (attempt > 3) return;
          if (n % 5 === 0) throw new Error('down');
          if (n % 5 === 1) await new Promise<void>((resolve) => clock.setTimeout(resolve, 9_000));
          if (n % 5 === 2 && snoozed.size !== snoozed.add(n).size) context.snooze(300);
          if (n % 5 === 3) await new Promise((_, reject) => signal.addEventListener('abort', reject));
        });
      }
    }
    const snoozed = new Set<number>();
    const { app, clock } = await manualApp([Mixed]);
    const ids = range('e', 60);
    await app.get(EventPublisher).publishAll(ids.map((id, n) => ({ event: 'mixed.work', payload: { n }, id })));
    for (let step = 0; step < 3_000 && app.get(EventsStats).snapshot().total.completed < 60; step++) {
      await clock.advance(100);
      expect(app.get(EventsStats).snapshot().handlers['mixed'].inFlight).toBeLessThanOrEqual(concurrency);
    }
    await clock.advance(10_000);
    expect([most, running]).toEqual([concurrency, 0]);
    expect(stats({ app, clock }, 'mixed')).toEqual({
      inFlight: 0,
      completed: 60,
      retried: 3 * 36,
      failed: 3 * 36,
      dead: 0,
      leaked: 0,
    });
    expect(app.get(EventsStats).snapshot().total.snoozed).toBe(12);
    const deliveries = await Promise.all(ids.map((id) => app.get(EventInbox).deliveries(id)));
    expect(deliveries.map(([{ state, attempts }]) => `${state} ${attempts}`)).toEqual(
      ids.map((_, n) => `completed ${[0, 1, 3].includes(n % 5) ? 4 : 1}`),
    );
  });
});
