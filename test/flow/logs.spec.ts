/** Scope: what an operator reads: each kind of line with its level and fields, from real runs; storms; no secrets. */
import { Injectable } from '@nestjs/common';
import {
  DeliveryContext,
  EventHandlerRegistry,
  EventMessage,
  EventPublisher,
  EventsStats,
  OnEvent,
  PermanentError,
} from 'nestjs-durable-events';
import { ManualClock } from 'nestjs-durable-events/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Maintenance } from '../../libs/events/src/maintenance/maintenance.js';
import { MemoryStore } from '../../libs/events/src/store/memory/memory-store.js';
import { databaseKinds } from '../support/database-kinds.js';
import { type LogRecord, LogRecords } from '../support/log-records.js';
import { closeManualApps, manualApp } from '../support/manual-app.js';
import { ownDatabase, startShop } from '../support/shop-app.js';

let log: LogRecords;
beforeEach(() => void (log = new LogRecords()));
afterEach(closeManualApps);

const SECRETS = { payload: 'p4yload', header: 't0ken' };
const event = { id: 'e', headers: { authorization: SECRETS.header } };
const labels = { handler: 'work', type: 'work.due', eventId: 'e', deliveryId: '1', attempt: 1 };
const who = 'work, event work.due e, delivery 1, attempt 1';
const down = new Error('the provider is down');

type Work = (message: EventMessage, context: DeliveryContext) => unknown;
type Options = Parameters<typeof OnEvent>[1];

/** An application whose only handler does this work, with everything that it has logged since it was up. */
async function scene(work: Work, options: Options = {}, clock = new ManualClock(), store = new MemoryStore(clock)) {
  @Injectable()
  class Handlers {
    @OnEvent('work.due', { name: 'work', retry: { initialDelay: '1s', jitter: 'none' }, circuit: false, ...options })
    run(message: EventMessage, context: DeliveryContext): unknown {
      return work(message, context);
    }
  }
  const { app } = await manualApp([Handlers], {}, { clock, store, log });
  const publisher = app.get(EventPublisher);
  const publish = async (type = 'work.due') => {
    await publisher.publish(type, { secret: SECRETS.payload }, event);
    await clock.advance(0);
  };
  const booted = log.records.length;
  return { app, clock, store, publisher, publish, lines: () => log.records.slice(booted) };
}

describe('an attempt is told in one line', () => {
  const failing = () => Promise.reject(down);
  const deaf = () => new Promise<void>(() => {});
  const asked: Work = (_, context) => context.snooze('5s');
  const wrong = () => {
    throw new PermanentError('no such account');
  };
  it.each<[what: string, work: Work, options: Options, line: Partial<LogRecord>]>([
    [
      'a retry: a warning',
      failing,
      {},
      {
        level: 'warn',
        message: `${who}: Error: the provider is down; again in 1000 ms`,
        fields: { fact: 'retried', ...labels, durationMs: 0, delayMs: 1_000, error: 'Error' },
      },
    ],
    [
      'a final failure: an error, with its stack',
      wrong,
      {},
      {
        level: 'error',
        message: `${who}: dead letter (rejected)`,
        fields: { fact: 'dead', ...labels, durationMs: 0, reason: 'rejected', error: 'PermanentError' },
        stack: expect.stringMatching(/^PermanentError: no such account\n +at /) as string,
      },
    ],
    [
      'a snooze: for those who debug',
      asked,
      {},
      {
        level: 'debug',
        message: `${who}: waits 5000 ms (asked)`,
        fields: { fact: 'snoozed', ...labels, durationMs: 0, delayMs: 5_000, reason: 'asked' },
      },
    ],
    [
      'a promise left behind: an error, with its stack',
      () => void Promise.reject(down),
      {},
      {
        level: 'error',
        message: `${who}: a promise that nobody waited for was rejected`,
        fields: labels,
        stack: down.stack,
      },
    ],
  ])('%s', async (_what, work, options, line) => {
    const others = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    try {
      const { publish, lines } = await scene(work, options);
      await publish();
      expect(lines()).toEqual([{ context: 'DeliveryRunner', ...line }]);
    } finally {
      for (const listener of others) process.on('unhandledRejection', listener);
    }
  });

  it('a run that goes on: a warning beside its retry', async () => {
    const { publish, clock, lines } = await scene(deaf, { timeout: '2s' });
    await publish();
    await clock.advance(2_000);
    expect(lines().map(({ level, fields }) => [level, fields])).toEqual([
      ['warn', { fact: 'retried', ...labels, durationMs: 2_000, delayMs: 1_000, error: 'HandlerTimeoutError' }],
      ['warn', { fact: 'leaked', ...labels }],
    ]);
  });

  it('with nothing of what it carries', async () => {
    for (const work of [failing, wrong, asked]) await (await scene(work)).publish();
    expect(log.of('DeliveryRunner')).toHaveLength(3);
    for (const secret of Object.values(SECRETS)) expect(JSON.stringify(log.records)).not.toContain(secret);
  });

  it('even when what was thrown has several, or quotes a connection URL', async () => {
    const { publish, lines } = await scene(() => {
      throw new Error('line 1\nERROR line 2 of postgres://shop:s3cret@db:5432/shop');
    });
    await publish();
    expect(lines().map(({ message }) => message)).toEqual([
      `${who}: Error: line 1 ERROR line 2 of postgres://***@db:5432/shop; again in 1000 ms`,
    ]);
  });
});

describe('a handler', () => {
  it('is told at boot, with its policies', async () => {
    const limits = {
      rateLimit: { limit: 5, period: '1s' },
      idempotency: { key: () => 'k', ttl: '1h' },
      ordering: {},
    } as const;
    await scene(() => undefined, { ...limits, circuit: { failureThreshold: 7 } });
    expect(log.of('EventsModule').filter(({ fields }) => fields['handler'])).toEqual([
      {
        level: 'log',
        context: 'EventsModule',
        message:
          'work handles work.due: priority 50, concurrency 10, timeout 30000 ms, 5 attempts, circuit opens at 7 failures, at most 5 in 1000 ms, idempotent for 3600000 ms, in order, a dead letter blocks its lane',
        fields: {
          handler: 'work',
          patterns: ['work.due'],
          priority: 50,
          concurrency: 10,
          timeoutMs: 30_000,
          maxAttempts: 5,
          circuitThreshold: 7,
          rateLimit: 5,
          ratePeriodMs: 1_000,
          idempotencyTtlMs: 3_600_000,
          onDeadLetter: 'block',
        },
      },
    ]);
  });

  it('whose circuit changes is told each time as a warning', async () => {
    const circuit = { failureThreshold: 1, openDuration: '30s', successThreshold: 1 } as const;
    let fails = true;
    const { publish, clock, lines } = await scene(() => (fails ? Promise.reject(down) : undefined), { circuit });
    await publish();
    fails = false;
    await clock.advance('5m');
    const changes = lines().filter(({ message }) => message.startsWith('circuit'));
    expect(changes.map(({ level, message, fields }) => [level, message, fields])).toEqual(
      [
        ['closed', 'open'],
        ['open', 'half-open'],
        ['half-open', 'closed'],
      ].map(([from, to], index) => [
        'warn',
        `circuit of work: ${from} -> ${to} (epoch ${index + 1})`,
        { fact: 'circuit', handler: 'work', from, to, epoch: index + 1 },
      ]),
    );
  });

  it('that is paused and resumed is told as a warning', async () => {
    const { app, clock, lines } = await scene(() => undefined);
    const handlers = app.get(EventHandlerRegistry);
    for (const change of ['pause', 'resume'] as const) {
      await handlers[change]('work');
      await clock.advance(1_000);
    }
    expect(lines().map(({ level, message, fields }) => [level, message, fields])).toEqual([
      ['warn', 'handler work is paused on all nodes', { fact: 'handlerPaused', handler: 'work' }],
      ['warn', 'handler work is resumed on all nodes', { fact: 'handlerResumed', handler: 'work' }],
    ]);
  });
});

it('an event that nobody handles is told once per type', async () => {
  const { publish, publisher, clock, lines } = await scene(() => undefined);
  await publish('work.unknown');
  await publisher.publish('work.unknown', {});
  await clock.advance(0);
  expect(lines().map(({ level, fields }) => [level, fields])).toEqual([
    ['warn', { fact: 'unhandled', type: 'work.unknown' }],
  ]);
});

it('an outage of the database is told once per part when it begins, and once when it ends', async () => {
  const { clock, store, lines } = await scene(() => undefined);
  const away = vi.spyOn(store, 'handlerStates').mockRejectedValue(new Error('the database is away'));
  await clock.advance(30_000);
  away.mockRestore();
  await clock.advance(30_000);
  expect(lines()).toEqual([
    {
      level: 'error',
      context: 'EventsNode',
      message: 'watch failed and will try again',
      fields: { loop: 'watch' },
      stack: expect.stringContaining('the database is away'),
    },
    {
      level: 'log',
      context: 'EventsNode',
      message: expect.stringMatching(/^watch works again after \d+ failed turns$/),
      fields: { loop: 'watch', failures: expect.any(Number) },
    },
  ]);
});

describe('a storm of ten thousand failures', () => {
  const all = Array.from({ length: 10_000 }, (_, n) => ({ event: 'work.due', payload: {}, id: `e${n}` }));

  it.each([
    ['retries', 'warn', () => Promise.reject(down), { initialDelay: '1h', maxDelay: '1h' }, 'retried'],
    ['dead letters', 'error', () => Promise.reject(new PermanentError('no')), {}, 'dead'],
  ] as const)('of %s is twenty lines, and one that counts the others', async (kind, level, work, retry, fact) => {
    const { publisher, clock, app, lines } = await scene(work, { retry, concurrency: 100 });
    await publisher.publishAll(all);
    const failed = () => app.get(EventsStats).snapshot().handlers['work'].failed;
    for (let turns = 0; turns < 1_000 && failed() < all.length; turns++) await clock.advance(0);
    await app.close();
    const written = lines().filter(({ fields }) => fields['fact'] === fact);
    expect(written.map((line) => line.level)).toEqual(Array<string>(21).fill(level));
    expect(written.at(-1)).toMatchObject({
      message: expect.stringMatching(`^and 9,980 more ${kind} of handler work in the last \\d+ s$`),
      fields: { fact, handler: 'work', leftOut: 9_980 },
    });
    expect(lines().length).toBeLessThan(40);
  });
});

it('a storm that is over is told of although nothing else is logged', async () => {
  const { app, publisher, clock, lines } = await scene(() => Promise.reject(new PermanentError('no')));
  await publisher.publishAll(Array.from({ length: 30 }, () => ({ event: 'work.due', payload: {} })));
  await clock.advance('10s');
  await app.get(Maintenance).sample();
  expect(lines()).toHaveLength(21);
  expect(lines().at(-1)?.message).toBe('and 10 more dead letters of handler work in the last 10 s');
});

describe.each(databaseKinds.filter(({ name }) => name !== 'sqlite'))('with a password in its $name URL', (kind) => {
  it('an application writes neither that nor the user', async () => {
    const database = await ownDatabase(kind);
    const { options } = database;
    const url = new URL((options as { url: string }).url);
    // Neither server asks a local user for one.
    const own = url.password || (kind.name === 'postgres' ? 's3cret' : '');
    url.password = own;
    const shop = await startShop({ ...database, options: { ...options, url: url.href } as typeof options });
    expect(shop.log.matching(/are stored in/)).toEqual([
      expect.stringContaining(`${url.hostname}:${url.port}/${url.pathname.slice(1)}`),
    ]);
    expect(shop.log.lines.join('\n')).not.toMatch(/s3cret|:\/\//);
  });
});
