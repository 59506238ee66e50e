/** The invoker chain: the order of its links, and what the application's own middleware may do in it. */
import { Inject, Injectable, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import {
  DeliveryContext,
  EventInbox,
  EventInvoker,
  EventMessage,
  type EventMiddleware,
  EventPublisher,
  InvalidOptionError,
  Invocation,
  OnEvent,
} from 'nestjs-durable-events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { retry, storeOf } from '../support/dispatch-scene.js';
import { closeManualApps, manualApp, type ManualApp } from '../support/manual-app.js';

afterEach(closeManualApps);

type Next = () => Promise<void>;

async function again(next: Next): Promise<void> {
  try {
    await next();
  } catch {
    await next();
  }
}

/** Publishes one event and answers what has become of its delivery. */
async function fateOf({ app, clock }: ManualApp) {
  const { id } = await app.get(EventPublisher).publish('a.b', {});
  await clock.advance(0);
  const [{ state, attempts, availableAt, failures }] = await app.get(EventInbox).deliveries(id);
  return {
    state,
    attempts,
    ...(availableAt && { inMs: Number(availableAt) - clock.now() }),
    failures: failures.map(({ name, message }) => `${name}: ${message}`),
  };
}

/** Fails as often as it is told to. */
@Injectable()
class Worker {
  runs = 0;
  failures = 0;

  @OnEvent('a.b', { name: 'work', retry, circuit: false })
  run(): void {
    this.runs++;
    if (this.failures-- > 0) throw new Error('no');
  }
}

/** An application whose only middleware does this; with what its handler has run. */
async function around(work: (next: Next, invocation: Invocation) => Promise<void>) {
  @Injectable()
  class Around implements EventMiddleware {
    invoke(invocation: Invocation, next: Next): Promise<void> {
      return work(next, invocation);
    }
  }
  const setting = await manualApp([Worker, Around], { middleware: [Around] });
  return { ...setting, worker: setting.app.get(Worker) };
}

describe('the order', () => {
  it('of all links with every policy on is that of the design, entered and left', async () => {
    const order: string[] = [];
    const note = (name: string) => async (_: Invocation, next: Next) => {
      order.push(`> ${name}`);
      await next();
      order.push(`< ${name}`);
    };
    @Injectable()
    class First implements EventMiddleware {
      readonly invoke = note('First');
    }
    @Injectable()
    class Second implements EventMiddleware {
      readonly invoke = note('Second');
    }
    @Injectable()
    class Payments {
      @OnEvent('payment.processed', {
        name: 'payments',
        rateLimit: { limit: 1, period: '1m' },
        idempotency: { key: ({ id }) => id },
        circuit: {},
        timeout: '5s',
      })
      run(): void {
        order.push('handler');
      }
    }
    const { app } = await manualApp([Payments, Second, First], { middleware: [First, Second] });
    const { outcome, trace } = await app.get(EventInvoker).invoke('payments', 'payment.processed', {});
    const links = [
      'tracing',
      'metrics',
      'payload',
      'guard',
      'First',
      'Second',
      'rateLimit',
      'idempotency',
      'circuit',
      'timeout',
    ];
    expect([outcome, trace]).toEqual([
      'completed',
      [...links.map((name) => `> ${name}`), 'handler', ...links.toReversed().map((name) => `< ${name}`)],
    ]);
    expect(order).toEqual(['> First', '> Second', 'handler', '< Second', '< First']);
  });

  it('is left by the links that were entered when one of them refuses', async () => {
    @Injectable()
    class Limited {
      @OnEvent('a.b', { name: 'limited', rateLimit: { limit: 1, period: '1m' } })
      run(): void {}
    }
    const { app } = await manualApp([Limited]);
    const invoker = app.get(EventInvoker);
    await invoker.invoke('limited', 'a.b', {});
    const { outcome, trace } = await invoker.invoke('limited', 'a.b', {});
    const links = ['tracing', 'metrics', 'payload', 'rateLimit'];
    expect([outcome, trace]).toEqual([
      'snoozed',
      [...links.map((name) => `> ${name}`), ...links.toReversed().map((name) => `< ${name}`)],
    ]);
  });
});

describe('a middleware', () => {
  it('sees event, handler, attempt and signal of the invocation, the same as the context', async () => {
    const seen: unknown[] = [];
    const setting = await around(async (next, invocation) => {
      const { event, handler, attempt, context, signal } = invocation;
      seen.push(event.type, handler.name, attempt, context instanceof DeliveryContext, signal === context.signal);
      seen.push(invocation instanceof Invocation);
      await next();
    });
    await fateOf(setting);
    expect(seen).toEqual(['a.b', 'work', 1, true, true, true]);
  });

  it('that does not call next completes the delivery without its handler', async () => {
    const setting = await around(() => Promise.resolve());
    expect(await fateOf(setting)).toEqual({ state: 'completed', attempts: 1, failures: [] });
    expect(setting.worker.runs).toBe(0);
  });

  it('that calls next again runs the handler again, in the same attempt', async () => {
    const setting = await around(again);
    setting.worker.failures = 1;
    expect(await fateOf(setting)).toEqual({ state: 'completed', attempts: 1, failures: [] });
    expect(setting.worker.runs).toBe(2);
  });

  it.each<[string, number, (next: Next) => Promise<void>]>([
    ['before the handler', 0, () => Promise.reject(new Error('broken'))],
    ['after the handler', 1, (next) => next().then(() => Promise.reject(new Error('broken')))],
  ])('that throws %s fails the attempt, and it is tried again after its backoff', async (_, runs, work) => {
    const setting = await around(work);
    const failures = ['Error: broken'];
    expect(await fateOf(setting)).toEqual({ state: 'scheduled', attempts: 1, inMs: 1_000, failures });
    expect(setting.worker.runs).toBe(runs);
  });

  it('that throws synchronously does no more than that', async () => {
    const setting = await around(() => {
      throw new TypeError('at once');
    });
    const failures = ['TypeError: at once'];
    expect(await fateOf(setting)).toEqual({ state: 'scheduled', attempts: 1, inMs: 1_000, failures });
  });

  it('that swallows the error of the handler completes the delivery', async () => {
    const setting = await around((next) => next().catch(() => undefined));
    setting.worker.failures = 1;
    expect(await fateOf(setting)).toEqual({ state: 'completed', attempts: 1, failures: [] });
  });

  it.each<[string, (next: Next) => Promise<void>]>([
    ['swallows a refusal', (next) => next().catch(() => undefined)],
    ['replaces a refusal', (next) => next().catch(() => Promise.reject(new Error('mine')))],
    ['calls next again after a refusal', again],
  ])('that %s changes nothing: the delivery is put back, and no attempt spent', async (_, work) => {
    @Injectable()
    class Around implements EventMiddleware {
      invoke(_invocation: Invocation, next: Next): Promise<void> {
        return work(next);
      }
    }
    let runs = 0;
    @Injectable()
    class Limited {
      @OnEvent('a.b', { name: 'limited', rateLimit: { limit: 1, period: '1m' } })
      run(): void {
        runs++;
      }
    }
    const setting = await manualApp([Limited, Around], { middleware: [Around] });
    expect(await fateOf(setting)).toEqual({ state: 'completed', attempts: 1, failures: [] });
    expect(await fateOf(setting)).toEqual({ state: 'scheduled', attempts: 0, inMs: 60_000, failures: [] });
    await setting.clock.advance(59_999);
    expect(runs).toBe(1);
    await setting.clock.advance(1);
    expect(runs).toBe(2);
  });

  it('that calls next again when the reason of a refusal is gone lets the handler run after all', async () => {
    @Injectable()
    class Again implements EventMiddleware {
      invoke(_invocation: Invocation, next: Next): Promise<void> {
        return again(next);
      }
    }
    const runs: number[] = [];
    @Injectable()
    class Limited {
      @OnEvent('a.b', { name: 'limited', rateLimit: { limit: 9, period: '1m' } })
      run(_event: EventMessage, { attempt }: DeliveryContext): void {
        runs.push(attempt);
      }
    }
    const setting = await manualApp([Limited, Again], { middleware: [Again] });
    vi.spyOn(storeOf(setting), 'takeTokens').mockRejectedValueOnce(new Error('away for a moment'));
    expect(await fateOf(setting)).toEqual({ state: 'completed', attempts: 1, failures: [] });
    expect(runs).toEqual([1]);
  });

  it('that is not provided fails the boot, which names it', async () => {
    class Absent implements EventMiddleware {
      invoke(_invocation: Invocation, next: Next): Promise<void> {
        return next();
      }
    }
    const error: unknown = await manualApp([Worker], { middleware: [Absent] }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect((error as Error).message).toBe(
      'EventsModule.forRoot(): option "middleware" must be the class of a provider of the application, but is [class Absent]',
    );
  });
});

describe('a request-scoped middleware', () => {
  it('is made for each attempt, with the invocation as REQUEST, and shares its providers with the handler', async () => {
    const seen: unknown[][] = [];
    @Injectable({ scope: Scope.REQUEST })
    class Unit {
      readonly notes: string[] = [];
    }
    @Injectable({ scope: Scope.REQUEST })
    class Begin implements EventMiddleware {
      constructor(
        @Inject(REQUEST) private readonly request: Invocation,
        private readonly unit: Unit,
      ) {}

      async invoke(invocation: Invocation, next: Next): Promise<void> {
        this.unit.notes.push(`begun ${invocation.attempt}`);
        await next().finally(() => seen.push([this.request === invocation, ...this.unit.notes]));
      }
    }
    @Injectable({ scope: Scope.REQUEST })
    class Scoped {
      constructor(
        @Inject(REQUEST) private readonly request: Invocation,
        private readonly unit: Unit,
      ) {}

      @OnEvent('a.b', { name: 'scoped', retry, circuit: false })
      run({ id }: EventMessage, { attempt }: DeliveryContext): void {
        this.unit.notes.push(`run ${attempt}, ${this.request.event.id === id}`);
        if (attempt === 1) throw new Error('again');
      }
    }
    const setting = await manualApp([Unit, Begin, Scoped], { middleware: [Begin] });
    await fateOf(setting);
    await setting.clock.advance(1_000);
    expect(seen).toEqual([
      [true, 'begun 1', 'run 1, true'],
      [true, 'begun 2', 'run 2, true'],
    ]);
  });
});
