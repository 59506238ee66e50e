/** Whatever goes wrong in an attempt has a defined outcome, and the node goes on; on a clock that stands still. */
import { Injectable } from '@nestjs/common';
import {
  DeadLetters,
  EventInbox,
  EventPublisher,
  EventsStats,
  OnEvent,
  type OnEventOptions,
  PermanentError,
  RetryableError,
} from 'nestjs-durable-events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Quick, retry } from '../support/dispatch-scene.js';
import { closeManualApps, manualApp } from '../support/manual-app.js';
import { LogLines } from '../support/shop-app.js';

afterEach(closeManualApps);

/** An application whose handler does this. */
async function failing(work: () => unknown, options: OnEventOptions = {}) {
  let runs = 0;
  @Injectable()
  class Failing {
    @OnEvent('a.b', { name: 'failing', circuit: false, retry, ...options })
    run(): unknown {
      runs++;
      return work();
    }
  }
  const log = new LogLines();
  const { app, clock } = await manualApp([Failing, Quick], {}, { log });
  const publish = async (event: string, id: string) => {
    await app.get(EventPublisher).publish(event, {}, { id });
    await clock.advance(0);
  };
  const fate = async () => {
    const [{ state, reason, attempts, availableAt, failures }] = await app.get(EventInbox).deliveries('e');
    const last = failures.at(-1);
    return {
      state: reason ? `${state}, ${reason}` : state,
      attempts,
      ...(availableAt && { inMs: Number(availableAt) - clock.now() }),
      failure: last && `${last.name}: ${last.message}`,
    };
  };
  await publish('a.b', 'e');
  return { app, clock, log, fate, publish, runs: () => runs };
}

type Scene = Awaited<ReturnType<typeof failing>>;

/** The node does nothing more while the clock stands, nothing is left in hand, and others are handled. */
async function expectToGoOn({ app, clock, publish, runs }: Scene, runsSoFar: number): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await clock.advance(0);
  expect(runs()).toBe(runsSoFar);
  await publish('quick.work', 'next');
  expect(app.get(Quick).seen).toEqual(['next']);
  expect(app.get(EventsStats).snapshot().total).toMatchObject({ inFlight: 0, leaked: 0 });
}

const no = (): never => {
  throw new Error('no');
};
const unreadable = Object.defineProperties(new Error('x'), {
  stack: { get: no },
  cause: { get: no },
  message: { get: no },
  name: { get: no },
});
const hostile = new Proxy(new Error('x'), { get: no, has: no, getPrototypeOf: no, ownKeys: no });

describe('a thrown value', () => {
  const hidden = 'Error: the error of this attempt cannot be read';
  it.each<[string, unknown, string]>([
    ['a text', 'just a text', `NonError: 'just a text'`],
    ['undefined', undefined, 'NonError: undefined'],
    ['null', null, 'NonError: null'],
    ['a number', 42, 'NonError: 42'],
    ['a symbol', Symbol('s'), 'NonError: Symbol(s)'],
    ['an object without a prototype', Object.create(null), 'NonError: [Object: null prototype] {}'],
    ['an Error whose properties throw', unreadable, hidden],
    ['a Proxy that throws whatever is asked of it', hostile, hidden],
  ])('is a failure, also when it is %s', async (_, thrown, failure) => {
    for (const work of [() => Promise.reject(thrown), () => rethrow(thrown)]) {
      const scene = await failing(work);
      expect(await scene.fate()).toEqual({ state: 'scheduled', attempts: 1, inMs: 1_000, failure });
      await expectToGoOn(scene, 1);
    }
  });

  it.each<[string, unknown]>([
    ['a Proxy that throws', hostile],
    ['an Error whose properties throw', unreadable],
    ['undefined', undefined],
  ])('is a failure to the breaker too: %s', async (_, thrown) => {
    const scene = await failing(() => rethrow(thrown), { circuit: { failureThreshold: 1 } });
    expect(scene.app.get(EventsStats).snapshot().handlers['failing']).toMatchObject({ circuit: 'open', failed: 1 });
    await expectToGoOn(scene, 1);
  });
});

function rethrow(thrown: unknown): never {
  throw thrown;
}

describe('a function of the options that throws', () => {
  const down = () => rethrow(new Error('down'));
  const cases: [string, OnEventOptions, { runs: number; inMs: number; failure: string }][] = [
    ['retryIf', { retry: { ...retry, retryIf: no } }, { runs: 1, inMs: 1_000, failure: 'Error: down' }],
    [
      'backoff',
      { retry: { jitter: 'none', maxDelay: '7m', backoff: no } },
      { runs: 1, inMs: 420_000, failure: 'Error: down' },
    ],
    [
      'backoff, which answers nonsense',
      { retry: { jitter: 'none', maxDelay: '7m', backoff: () => NaN } },
      { runs: 1, inMs: 420_000, failure: 'Error: down' },
    ],
    [
      'rateLimit.key',
      { rateLimit: { limit: 1, period: '1h', key: no } },
      { runs: 0, inMs: 1_000, failure: 'Error: no' },
    ],
    ['idempotency.key', { idempotency: { key: no } }, { runs: 0, inMs: 1_000, failure: 'Error: no' }],
    [
      'idempotency.key, which answers a number',
      { idempotency: { key: () => 5 as unknown as string } },
      {
        runs: 0,
        inMs: 1_000,
        failure: 'InvalidKeyError: idempotency.key of handler failing answered a number, not a text',
      },
    ],
  ];
  it.each(cases)('costs an attempt, no more: %s', async (_, options, { runs, ...expected }) => {
    const scene = await failing(down, options);
    expect(await scene.fate()).toEqual({ state: 'scheduled', attempts: 1, ...expected });
    await expectToGoOn(scene, runs);
  });

  it('is logged, with what it threw', async () => {
    const { log } = await failing(down, { retry: { ...retry, retryIf: no } });
    expect(log.matching(/retryIf/)).toEqual(['error: retryIf or backoff of failing threw: Error: no']);
  });
});

describe('a rejection that comes late', () => {
  // Those of the test runner: to it every such rejection is a failure.
  const others = process.listeners('unhandledRejection');
  beforeEach(() => void process.removeAllListeners('unhandledRejection'));
  afterEach(() => {
    for (const listener of others) process.on('unhandledRejection', listener);
  });

  it('after the timeout changes nothing any more', async () => {
    const late: (() => void)[] = [];
    const hang = () => new Promise((_, reject) => late.push(() => reject(new Error('too late'))));
    const scene = await failing(hang, { timeout: '5s', retry: { ...retry, initialDelay: '1h', maxDelay: '1h' } });
    await scene.clock.advance(5_000);
    const timedOut = {
      state: 'scheduled',
      attempts: 1,
      inMs: 3_600_000,
      failure: 'HandlerTimeoutError: handler failing did not end within its timeout of 5000 ms',
    };
    expect(await scene.fate()).toEqual(timedOut);
    late[0]();
    await expectToGoOn(scene, 1);
    expect(await scene.fate()).toEqual(timedOut);
    expect(scene.log.matching(/too late/)).toEqual([]);
  });

  it('of a promise that the handler has left behind is logged; the delivery is completed', async () => {
    const scene = await failing(() => void Promise.reject(new Error('left behind')));
    expect(await scene.fate()).toEqual({ state: 'completed', attempts: 1, failure: undefined });
    await expectToGoOn(scene, 1);
    expect(scene.log.matching(/nobody waited/)).toEqual([
      expect.stringMatching(/^error: failing, event a\.b e, delivery 1, attempt 1: a promise that nobody waited for/),
    ]);
  });
});

describe('what the error says of itself', () => {
  const permanent = new PermanentError('no such account');
  it.each<[string, unknown, string]>([
    ['a PermanentError', permanent, 'PermanentError: no such account'],
    ['one as the cause of a cause', new Error('a', { cause: new Error('b', { cause: permanent }) }), 'Error: a'],
    ['one among others', new AggregateError([new Error('c'), permanent], 'all failed'), 'AggregateError: all failed'],
    [
      'one under a RetryableError',
      new RetryableError('later', { cause: permanent, retryAfter: '1s' }),
      'RetryableError: later',
    ],
  ])('rejects the delivery at once: %s', async (_, thrown, failure) => {
    const scene = await failing(() => rethrow(thrown));
    expect(await scene.fate()).toEqual({ state: 'dead, rejected', attempts: 1, failure });
  });

  it('wins over backoff, jitter and maxDelay: retryAfter is exact', async () => {
    const later = new RetryableError('later', { retryAfter: '1h' });
    const options: OnEventOptions = { retry: { jitter: 'full', maxDelay: '5s' } };
    const { fate, clock, runs } = await failing(() => rethrow(new Error('busy', { cause: later })), options);
    expect(await fate()).toEqual({ state: 'scheduled', attempts: 1, inMs: 3_600_000, failure: 'Error: busy' });
    await clock.advance(3_599_999);
    expect(runs()).toBe(1);
    await clock.advance(1);
    expect(runs()).toBe(2);
  });

  it('is kept in the dead letter as it was: name, message, stack, and its causes', async () => {
    class DeclinedError extends Error {
      override readonly name = 'DeclinedError';
    }
    const bank = new TypeError('no answer', { cause: 'ECONNRESET' });
    const declined = new DeclinedError('card declined', { cause: bank });
    const { app } = await failing(() => rethrow(declined), { retry: false });
    const { items } = await app.get(DeadLetters).list();
    expect(items.map(({ reason, attempts, failures }) => ({ reason, attempts, failures }))).toMatchObject([
      {
        reason: 'exhausted',
        attempts: 1,
        failures: [
          {
            attempt: 1,
            name: 'DeclinedError',
            message: 'card declined',
            stack: declined.stack,
            causes: [
              { name: 'TypeError', message: 'no answer', stack: bank.stack },
              { name: 'NonError', message: `'ECONNRESET'` },
            ],
          },
        ],
      },
    ]);
  });

  it('is asked for by retryIf with the attempt that has failed; a backoff function sets the waits', async () => {
    const asked: unknown[] = [];
    const down = new Error('down');
    const retryIf = (error: unknown, attempt: number) => (asked.push([error === down, attempt]), attempt < 3);
    const options: OnEventOptions = { retry: { jitter: 'none', backoff: (attempts) => attempts * 700, retryIf } };
    const { clock, fate, runs } = await failing(() => rethrow(down), options);
    await clock.advance(699);
    expect(runs()).toBe(1);
    await clock.advance(1);
    expect(await fate()).toEqual({ state: 'scheduled', attempts: 2, inMs: 1_400, failure: 'Error: down' });
    await clock.advance(1_400);
    expect(await fate()).toEqual({ state: 'dead, rejected', attempts: 3, failure: 'Error: down' });
    expect(asked).toEqual([1, 2, 3].map((attempt) => [true, attempt]));
  });
});
