import { describe, expect, it } from 'vitest';
import { defineEvent } from '../envelope/define-event.js';
import { checkHandlerDefaults, resolveHandlerOptions } from './handler-options.js';
import type { OnEventOptions } from './on-event.options.js';

const PLACE = '@OnEvent on Shop.handle';

const DEFAULT_RETRY = {
  maxAttempts: 5,
  backoff: 'exponential',
  initialDelayMs: 1000,
  maxDelayMs: 300_000,
  jitter: 'full',
  retryIf: undefined,
};

const DEFAULT_CIRCUIT = {
  failureThreshold: 5,
  failureRate: 0.5,
  successThreshold: 3,
  openDurationMs: 30_000,
  windowMs: 60_000,
  halfOpenConcurrency: 1,
};

const DEFAULT_IDEMPOTENCY = { key: undefined, ttlMs: 86_400_000, processingTtlMs: 300_000 };

it('without options everything has its default', () => {
  expect(resolveHandlerOptions(PLACE)).toEqual({
    aliases: [],
    priority: 50,
    concurrency: 10,
    timeoutMs: 30_000,
    retry: DEFAULT_RETRY,
    circuit: DEFAULT_CIRCUIT,
    rateLimit: false,
    idempotency: DEFAULT_IDEMPOTENCY,
    ordering: false,
  });
});

it('takes what is given, durations in milliseconds', () => {
  const backoff = (attempts: number) => attempts * 10;
  const retryIf = () => true;
  const key = () => 'k';
  const options: OnEventOptions = {
    name: 'n',
    aliases: ['o', 'm'],
    priority: 0,
    concurrency: 1,
    timeout: '2m',
    retry: { maxAttempts: 1, backoff, initialDelay: 0, maxDelay: '1h', jitter: 'equal', retryIf },
    circuit: {
      failureThreshold: 1,
      failureRate: 1,
      successThreshold: 1,
      openDuration: 250,
      window: '10s',
      halfOpenConcurrency: 4,
    },
    rateLimit: { limit: 10, period: '1m', burst: 15, key, store: 'memory' },
    idempotency: { key, ttl: '30d', processingTtl: '3m' },
    ordering: { onDeadLetter: 'skip' },
  };
  expect(resolveHandlerOptions(PLACE, options)).toEqual({
    aliases: ['o', 'm'],
    priority: 0,
    concurrency: 1,
    timeoutMs: 120_000,
    retry: { maxAttempts: 1, backoff, initialDelayMs: 0, maxDelayMs: 3_600_000, jitter: 'equal', retryIf },
    circuit: {
      failureThreshold: 1,
      failureRate: 1,
      successThreshold: 1,
      openDurationMs: 250,
      windowMs: 10_000,
      halfOpenConcurrency: 4,
    },
    rateLimit: { limit: 10, periodMs: 60_000, burst: 15, key, store: 'memory' },
    idempotency: { key, ttlMs: 2_592_000_000, processingTtlMs: 180_000 },
    ordering: { onDeadLetter: 'skip' },
  });
});

describe('retry and circuit', () => {
  const retryOf = (options: OnEventOptions, defaults: OnEventOptions = {}) =>
    resolveHandlerOptions(PLACE, options, defaults).retry;
  const circuitOf = (options: OnEventOptions, defaults: OnEventOptions = {}) =>
    resolveHandlerOptions(PLACE, options, defaults).circuit;

  it('retry: false is one attempt, circuit: false is none', () => {
    expect(resolveHandlerOptions(PLACE, { retry: false, circuit: false })).toMatchObject({
      retry: { ...DEFAULT_RETRY, maxAttempts: 1 },
      circuit: false,
    });
  });

  it('are merged over the module defaults option by option; what is undefined counts as left out', () => {
    const defaults: OnEventOptions = {
      priority: 7,
      timeout: '5s',
      retry: { maxAttempts: 9, backoff: 'fixed', jitter: 'none' },
      circuit: { failureThreshold: 2, window: '5s' },
    };
    const options: OnEventOptions = {
      priority: undefined,
      timeout: '1s',
      retry: { maxAttempts: 2, backoff: undefined },
      circuit: { window: '1s' },
    };
    expect(resolveHandlerOptions(PLACE, options, defaults)).toEqual({
      aliases: [],
      priority: 7,
      concurrency: 10,
      timeoutMs: 1000,
      retry: { ...DEFAULT_RETRY, maxAttempts: 2, backoff: 'fixed', jitter: 'none' },
      circuit: { ...DEFAULT_CIRCUIT, failureThreshold: 2, windowMs: 1000 },
      rateLimit: false,
      idempotency: DEFAULT_IDEMPOTENCY,
      ordering: false,
    });
  });

  it('a handler turns off what the defaults turn on, and on what they turn off', () => {
    expect([
      retryOf({ retry: false }, { retry: { maxAttempts: 9 } }).maxAttempts,
      circuitOf({ circuit: false }, { circuit: {} }),
      retryOf({}, { retry: false }).maxAttempts,
      circuitOf({}, { circuit: false }),
      retryOf({ retry: {} }, { retry: false }).maxAttempts,
      circuitOf({ circuit: {} }, { circuit: false }),
    ]).toEqual([1, false, 1, false, 5, DEFAULT_CIRCUIT]);
  });

  it('a delay nobody wrote gives way to the one somebody did', () => {
    const delays = (options: OnEventOptions) => {
      const { initialDelayMs, maxDelayMs } = retryOf(options);
      return [initialDelayMs, maxDelayMs];
    };
    expect([delays({ retry: { initialDelay: '10m' } }), delays({ retry: { maxDelay: 200 } })]).toEqual([
      [600_000, 600_000],
      [200, 200],
    ]);
  });
});

describe('rateLimit', () => {
  const limitOf = (options: OnEventOptions, defaults: OnEventOptions = {}) =>
    resolveHandlerOptions(PLACE, options, defaults).rateLimit;

  it('needs only limit and period: burst is the limit, the bucket is in the database', () => {
    const expected = { limit: 7, periodMs: 1000, burst: 7, key: undefined, store: 'database' };
    expect(limitOf({ rateLimit: { limit: 7, period: '1s' } })).toEqual(expected);
  });

  it('is merged over the module defaults option by option', () => {
    const defaults: OnEventOptions = { rateLimit: { limit: 100, period: '1m', store: 'memory' } };
    const resolved = { limit: 100, periodMs: 60_000, burst: 100, key: undefined, store: 'memory' };
    expect([
      limitOf({}, defaults),
      limitOf({ rateLimit: { limit: 5, period: undefined } }, defaults),
      limitOf({ rateLimit: { period: 10, store: 'database' } }, defaults),
      limitOf({ rateLimit: false }, defaults),
      limitOf({ rateLimit: { limit: 1, period: 2 } }, { rateLimit: false }),
      limitOf({}, { rateLimit: false }),
    ]).toEqual([
      resolved,
      { ...resolved, limit: 5, burst: 5 },
      { ...resolved, periodMs: 10, store: 'database' },
      false,
      { limit: 1, periodMs: 2, burst: 1, key: undefined, store: 'database' },
      false,
    ]);
  });
});

describe('idempotency', () => {
  const idempotencyOf = (options: OnEventOptions, defaults: OnEventOptions = {}) =>
    resolveHandlerOptions(PLACE, options, defaults).idempotency;
  const key = () => 'k';

  it('is merged over the module defaults option by option, and false switches it off', () => {
    const defaults: OnEventOptions = { idempotency: { key, ttl: '1h', processingTtl: '2m' } };
    const resolved = { key, ttlMs: 3_600_000, processingTtlMs: 120_000 };
    expect([
      idempotencyOf({}, defaults),
      idempotencyOf({ idempotency: { ttl: '2h', key: undefined } }, defaults),
      idempotencyOf({ idempotency: false }, defaults),
      idempotencyOf({}, { idempotency: false }),
      idempotencyOf({ idempotency: { key } }, { idempotency: false }),
    ]).toEqual([resolved, { ...resolved, ttlMs: 7_200_000 }, false, false, { ...DEFAULT_IDEMPOTENCY, key }]);
  });

  it('the default processingTtl gives way to a long timeout', () => {
    const processingTtl = (timeout: number) =>
      idempotencyOf({ timeout, idempotency: { key } }) as { processingTtlMs: number };
    expect([150_000, 150_001, 600_000].map((timeout) => processingTtl(timeout).processingTtlMs)).toEqual([
      300_000, 300_002, 1_200_000,
    ]);
  });

  it('own options need a key, but the definition of one of the events will do', () => {
    const plain = defineEvent<{ id: string }>({ type: 'plain' });
    const keyed = defineEvent<{ id: string }>({ type: 'keyed', idempotencyKey: ({ id }) => id });
    const own: OnEventOptions = { idempotency: { ttl: '1h' } };
    const resolve = (definitions: (typeof plain)[]) => resolveHandlerOptions(PLACE, own, {}, definitions).idempotency;
    expect(resolve([plain, keyed])).toEqual({ ...DEFAULT_IDEMPOTENCY, ttlMs: 3_600_000 });
    expect(() => resolve([plain])).toThrow(
      `${PLACE}: option "idempotency.key" must be given: none of its events has a definition with an idempotencyKey, but is undefined`,
    );
    // What stands in the defaults is for those that have keys.
    expect(idempotencyOf({}, own)).toEqual({ ...DEFAULT_IDEMPOTENCY, ttlMs: 3_600_000 });
  });
});

describe('the module defaults on their own', () => {
  it('may leave a part of the rate limit to the handlers', () => {
    expect(() => checkHandlerDefaults({ rateLimit: { store: 'memory' } })).not.toThrow();
  });

  it.each([
    [
      { retry: { initialDelay: '2s', maxDelay: '1s' } },
      'defaults of EventsModule.forRoot(): option "retry.maxDelay" must be at least retry.initialDelay (2000 ms), but is 1000',
    ],
    [
      { rateLimit: { limit: 0 } },
      'EventsModule.forRoot(): option "defaults.rateLimit.limit" must be a whole number from 1 up, but is 0',
    ],
  ] as const)('are refused: %o', (defaults, message) => {
    expect(() => checkHandlerDefaults(defaults)).toThrow(message);
  });
});

it('ordering is on or off, with what a dead letter does merged over the module defaults', () => {
  const orderingOf = (own: OnEventOptions, defaults: OnEventOptions = {}) =>
    resolveHandlerOptions('here', own, defaults).ordering;
  expect([
    orderingOf({ ordering: true }),
    orderingOf({ ordering: {} }),
    orderingOf({ ordering: { onDeadLetter: 'skip' } }),
    orderingOf({ ordering: true }, { ordering: { onDeadLetter: 'skip' } }),
    orderingOf({}, { ordering: true }),
    orderingOf({ ordering: false }, { ordering: true }),
    orderingOf({ ordering: { onDeadLetter: 'block' } }, { ordering: false }),
  ]).toEqual([
    { onDeadLetter: 'block' },
    { onDeadLetter: 'block' },
    { onDeadLetter: 'skip' },
    { onDeadLetter: 'skip' },
    { onDeadLetter: 'block' },
    false,
    { onDeadLetter: 'block' },
  ]);
});

it.each([
  [{ ordering: 'yes' }, 'ordering'],
  [{ ordering: { onDeadLetter: 'stop' } }, 'ordering.onDeadLetter'],
  [{ ordering: { block: true } }, 'ordering.block'],
])('refuses %o', (options, option) => {
  expect(() => resolveHandlerOptions('here', options as OnEventOptions)).toThrow(
    expect.objectContaining({ code: 'EVENTS_INVALID_OPTION', option }),
  );
});
