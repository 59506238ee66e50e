/** What the application's ErrorReporter is told, and what its own failures do: nothing. On a clock that stands still. */
import { Inject, Injectable, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import {
  DeadLetters,
  DeliveryContext,
  type ErrorInfo,
  type ErrorReporter,
  EventPublisher,
  EventsStats,
  InvalidOptionError,
  Invocation,
  OnEvent,
  type OnEventOptions,
} from 'nestjs-durable-events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Quick, retry } from '../support/dispatch-scene.js';
import { closeManualApps, manualApp } from '../support/manual-app.js';
import { LogLines } from '../support/shop-app.js';

afterEach(closeManualApps);

interface Told {
  readonly error: unknown;
  readonly info: ErrorInfo;
}

/** An application with this reporter and a handler that throws these, one after the other; then it works. */
async function failing(thrown: unknown[], report: ErrorReporter['report'], options: OnEventOptions = {}) {
  @Injectable()
  class Reporter implements ErrorReporter {
    readonly report = report;
  }
  @Injectable()
  class Failing {
    @OnEvent('a.b', { name: 'failing', circuit: false, retry: { ...retry, maxAttempts: 2 }, ...options })
    run(_event: unknown, { attempt }: DeliveryContext): void {
      if (attempt <= thrown.length) throw thrown[attempt - 1];
    }
  }
  const log = new LogLines();
  const { app, clock } = await manualApp([Failing, Quick, Reporter], { errorReporter: Reporter }, { log });
  await app.get(EventPublisher).publish('a.b', { secret: 1 }, { id: 'e' });
  await clock.advance(0);
  return { app, clock, log };
}

const summary = ({ error, info: { handler, attempt, final, event } }: Told) => ({
  error,
  handler,
  attempt,
  final,
  event: event.id,
});

describe('the error reporter', () => {
  let told: Told[];
  beforeEach(() => void (told = []));
  const note = (error: unknown, info: ErrorInfo) => void told.push({ error, info });

  it('is told once of the final failure, with its stack, and not of the retries before', async () => {
    const [first, last] = [new Error('first'), new Error('last')];
    const { clock } = await failing([first, last], note);
    expect(told).toEqual([]);
    await clock.advance(60_000);
    expect(told.map(summary)).toEqual([{ error: last, handler: 'failing', attempt: 2, final: true, event: 'e' }]);
    expect(told[0].info.stack).toBe(last.stack);
  });

  it('is told of every thrown value that is no Error, final or not', async () => {
    const { clock } = await failing(['one', null], note);
    await clock.advance(60_000);
    expect(told.map(summary)).toEqual([
      { error: 'one', handler: 'failing', attempt: 1, final: false, event: 'e' },
      { error: null, handler: 'failing', attempt: 2, final: true, event: 'e' },
    ]);
    expect(told.map(({ info }) => typeof info.stack)).toEqual(['string', 'string']);
  });

  it('is not told of a refusal, a snooze or a success', async () => {
    const limit: OnEventOptions = { rateLimit: { limit: 1, period: '1s' } };
    const { app, clock } = await failing([], note, limit);
    await app.get(EventPublisher).publish('a.b', {});
    await clock.advance(10_000);
    expect(app.get(EventsStats).snapshot().total).toMatchObject({ snoozed: 1, completed: 2 });
    expect(told).toEqual([]);
  });

  it('is told of an error after context.transaction has committed: the delivery is completed for good', async () => {
    const after = new Error('after');
    @Injectable()
    class Writing {
      @OnEvent('a.b', { name: 'writing' })
      async run(_event: unknown, context: DeliveryContext): Promise<void> {
        await context.transaction(() => Promise.resolve());
        throw after;
      }
    }
    @Injectable()
    class Reporter implements ErrorReporter {
      readonly report = note;
    }
    const { app, clock } = await manualApp([Writing, Reporter], { errorReporter: Reporter });
    await app.get(EventPublisher).publish('a.b', {}, { id: 'e' });
    await clock.advance(0);
    expect(told.map(summary)).toEqual([{ error: after, handler: 'writing', attempt: 1, final: true, event: 'e' }]);
    expect(app.get(EventsStats).snapshot().total).toMatchObject({ completed: 1, failed: 0, dead: 0 });
  });

  it('is not waited for: what it does with its promise holds up nobody', async () => {
    const { app } = await failing([new Error('final')], () => new Promise(() => {}), { retry: false });
    expect(await app.get(DeadLetters).count()).toBe(1);
    expect(app.get(EventsStats).snapshot().total).toMatchObject({ inFlight: 0, dead: 1 });
  });

  const down = new Error('the reporter is down');
  it.each<[string, ErrorReporter['report']]>([
    [
      'throws',
      () => {
        throw down;
      },
    ],
    ['rejects', () => Promise.reject(down)],
    ['rejects with nothing', () => Promise.reject(undefined)],
  ])('that %s changes nothing; that is logged, once for each report', async (_, report) => {
    const { app, clock, log } = await failing([new Error('final')], report, { retry: false });
    const { items } = await app.get(DeadLetters).list();
    expect(items.map(({ reason, failures }) => [reason, failures[0].message])).toEqual([['exhausted', 'final']]);
    expect(log.matching(/error reporter/)).toEqual(['error: the error reporter failed']);
    await app.get(EventPublisher).publish('quick.work', {}, { id: 'next' });
    await clock.advance(0);
    expect(app.get(Quick).seen).toEqual(['next']);
  });

  it('may be request-scoped: it is made for the attempt, with the invocation as REQUEST', async () => {
    const seen: unknown[] = [];
    @Injectable({ scope: Scope.REQUEST })
    class Scoped implements ErrorReporter {
      constructor(@Inject(REQUEST) private readonly invocation: Invocation) {}

      report(_error: unknown, { event, attempt }: ErrorInfo): void {
        const { event: own, attempt: ownAttempt } = this.invocation;
        seen.push([this.invocation instanceof Invocation, own === event, ownAttempt === attempt]);
      }
    }
    @Injectable()
    class Failing {
      @OnEvent('a.b', { retry: false })
      run(): void {
        throw new Error('final');
      }
    }
    const { app, clock } = await manualApp([Failing, Scoped], { errorReporter: Scoped });
    await app.get(EventPublisher).publishAll([1, 2].map(() => ({ event: 'a.b', payload: {} })));
    await clock.advance(0);
    expect(seen).toEqual([
      [true, true, true],
      [true, true, true],
    ]);
  });

  it('that is not provided fails the boot, which names it', async () => {
    class Absent implements ErrorReporter {
      report(): void {}
    }
    const error: unknown = await manualApp([Quick], { errorReporter: Absent }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect((error as Error).message).toBe(
      'EventsModule.forRoot(): option "errorReporter" must be the class of a provider of the application, but is [class Absent]',
    );
  });
});
