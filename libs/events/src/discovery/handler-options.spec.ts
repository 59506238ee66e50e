import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../errors/invalid-option.error.js';
import { resolveHandlerOptions } from './handler-options.js';
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

it('without options everything has its default', () => {
  expect(resolveHandlerOptions(PLACE)).toEqual({
    priority: 50,
    concurrency: 10,
    timeoutMs: 30_000,
    retry: DEFAULT_RETRY,
    circuit: DEFAULT_CIRCUIT,
  });
});

it('takes what is given, durations in milliseconds', () => {
  const backoff = (attempts: number) => attempts * 10;
  const retryIf = () => true;
  const options: OnEventOptions = {
    name: 'n',
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
  };
  expect(resolveHandlerOptions(PLACE, options)).toEqual({
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
      priority: 7,
      concurrency: 10,
      timeoutMs: 1000,
      retry: { ...DEFAULT_RETRY, maxAttempts: 2, backoff: 'fixed', jitter: 'none' },
      circuit: { ...DEFAULT_CIRCUIT, failureThreshold: 2, windowMs: 1000 },
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

function refusal(options: unknown, defaults?: unknown): { place: string; option: string; message: string } {
  try {
    resolveHandlerOptions(PLACE, options as OnEventOptions, defaults as OnEventOptions);
  } catch (error) {
    if (error instanceof InvalidOptionError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

describe('refuses', () => {
  it.each<[string, unknown, string]>([
    ['priority', { priority: -1 }, 'a whole number from 0 to 100, but is -1'],
    ['priority', { priority: 101 }, 'a whole number from 0 to 100, but is 101'],
    ['priority', { priority: 1.5 }, 'a whole number from 0 to 100, but is 1.5'],
    ['priority', { priority: '1' }, "a whole number from 0 to 100, but is '1'"],
    ['concurrency', { concurrency: 0 }, 'a whole number from 1 up, but is 0'],
    ['concurrency', { concurrency: Infinity }, 'a whole number from 1 up, but is Infinity'],
    ['timeout', { timeout: 0 }, "a duration from 1 to 2147483647 ms, such as 5000 or '30s', but is 0"],
    ['timeout', { timeout: '30 sek' }, "a duration from 1 to 2147483647 ms, such as 5000 or '30s', but is '30 sek'"],
    ['timeout', { timeout: '30d' }, "a duration from 1 to 2147483647 ms, such as 5000 or '30s', but is '30d'"],
    ['retry', { retry: true }, 'an object or false, but is true'],
    ['retry', { retry: 3 }, 'an object or false, but is 3'],
    ['retry', { retry: null }, 'an object or false, but is null'],
    ['retry', { retry: 0 }, 'an object or false, but is 0'],
    ['retry.maxAttempts', { retry: { maxAttempts: 0 } }, 'a whole number from 1 up, but is 0'],
    ['retry.maxAttempts', { retry: { maxAttempts: NaN } }, 'a whole number from 1 up, but is NaN'],
    [
      'retry.backoff',
      { retry: { backoff: 'cubic' } },
      "'fixed', 'linear', 'exponential', 'quadratic', or a function, but is 'cubic'",
    ],
    [
      'retry.initialDelay',
      { retry: { initialDelay: -1 } },
      "a duration from 0 ms up, such as 5000 or '30s', but is -1",
    ],
    ['retry.maxDelay', { retry: { maxDelay: '' } }, "a duration from 0 ms up, such as 5000 or '30s', but is ''"],
    [
      'retry.maxDelay',
      { retry: { initialDelay: '2s', maxDelay: '1s' } },
      'at least retry.initialDelay (2000 ms), but is 1000',
    ],
    ['retry.jitter', { retry: { jitter: 'half' } }, "'none', 'full', 'equal', but is 'half'"],
    ['retry.retryIf', { retry: { retryIf: true } }, 'a function, but is true'],
    ['circuit', { circuit: 'off' }, "an object or false, but is 'off'"],
    ['circuit.failureThreshold', { circuit: { failureThreshold: 0 } }, 'a whole number from 1 up, but is 0'],
    ['circuit.failureRate', { circuit: { failureRate: 0 } }, 'a number over 0 and up to 1, but is 0'],
    ['circuit.failureRate', { circuit: { failureRate: 50 } }, 'a number over 0 and up to 1, but is 50'],
    ['circuit.failureRate', { circuit: { failureRate: NaN } }, 'a number over 0 and up to 1, but is NaN'],
    ['circuit.successThreshold', { circuit: { successThreshold: 0 } }, 'a whole number from 1 up, but is 0'],
    [
      'circuit.openDuration',
      { circuit: { openDuration: 0 } },
      "a duration from 1 ms up, such as 5000 or '30s', but is 0",
    ],
    ['circuit.window', { circuit: { window: 0 } }, "a duration from 1 ms up, such as 5000 or '30s', but is 0"],
    ['circuit.halfOpenConcurrency', { circuit: { halfOpenConcurrency: 0 } }, 'a whole number from 1 up, but is 0'],
    ['concurency', { concurency: 1 }, 'left out: it is unknown (did you mean "concurrency"?), but is 1'],
    [
      'retry.attempts',
      { retry: { attempts: 1 } },
      'left out: it is unknown (there are maxAttempts, backoff, initialDelay, maxDelay, jitter, retryIf), but is 1',
    ],
    ['circuit.windows', { circuit: { windows: 1 } }, 'left out: it is unknown (did you mean "window"?), but is 1'],
    ['options', [], 'an object, but is []'],
  ])('%s in %o', (option, options, problem) => {
    const error = refusal(options);
    expect({ place: error.place, option: error.option, message: error.message }).toEqual({
      place: PLACE,
      option,
      message: `${PLACE}: option "${option}" must be ${problem}`,
    });
  });

  it.each<[unknown, string]>([
    [{ retry: { maxAttempts: 0 } }, 'option "defaults.retry.maxAttempts" must be a whole number from 1 up, but is 0'],
    [
      { name: 'one' },
      'option "defaults.name" must be left out: it is unknown (there are priority, concurrency, timeout, retry, circuit), but is \'one\'',
    ],
    [7, 'option "defaults.options" must be an object, but is 7'],
  ])('%o in the module defaults, naming the module', (defaults, problem) => {
    expect(refusal({ priority: -1 }, defaults).message).toBe(`EventsModule.forRoot(): ${problem}`);
  });

  it("a handler's initialDelay over the maxDelay of the defaults", () => {
    expect(refusal({ retry: { initialDelay: '2s' } }, { retry: { maxDelay: '1s' } }).message).toBe(
      `${PLACE}: option "retry.maxDelay" must be at least retry.initialDelay (2000 ms), but is 1000`,
    );
  });
});
