import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../errors/invalid-option.error.js';
import { resolveHandlerOptions } from './handler-options.js';
import type { OnEventOptions } from './on-event.options.js';

/** Scope: options of handlers that boot refuses, and how it says so. */
const PLACE = '@OnEvent on Shop.handle';

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
    ['aliases', { aliases: 'old' }, "a list of names, but is 'old'"],
    ['aliases[1]', { aliases: ['old', ''] }, "a text of 1 to 255 characters without NUL, but is ''"],
    ['aliases[0]', { aliases: [undefined] }, 'a text of 1 to 255 characters without NUL, but is undefined'],
    ['aliases[2]', { aliases: ['a', 'b', 'a'] }, "given once, but is 'a'"],
    ['rateLimit', { rateLimit: true }, 'an object or false, but is true'],
    ['rateLimit.limit', { rateLimit: { period: 1 } }, 'given, here or in defaults, but is undefined'],
    ['rateLimit.period', { rateLimit: { limit: 1 } }, 'given, here or in defaults, but is undefined'],
    ['rateLimit.limit', { rateLimit: { limit: 0.5 } }, 'a whole number from 1 up, but is 0.5'],
    ['rateLimit.period', { rateLimit: { period: 0 } }, "a duration from 1 ms up, such as 5000 or '30s', but is 0"],
    ['rateLimit.burst', { rateLimit: { burst: 0 } }, 'a whole number from 1 up, but is 0'],
    ['rateLimit.key', { rateLimit: { key: 'tenant' } }, "a function, but is 'tenant'"],
    ['rateLimit.store', { rateLimit: { store: 'redis' } }, "'memory' or 'database', but is 'redis'"],
    ['rateLimit.per', { rateLimit: { per: 1 } }, 'left out: it is unknown (did you mean "key"?), but is 1'],
    ['idempotency', { idempotency: 'id' }, "an object or false, but is 'id'"],
    ['idempotency.key', { idempotency: { key: 'id' } }, "a function, but is 'id'"],
    ['idempotency.key', { idempotency: { key: null } }, 'a function, but is null'],
    [
      'idempotency.key',
      { idempotency: {} },
      'given: none of its events has a definition with an idempotencyKey, but is undefined',
    ],
    ['idempotency.ttl', { idempotency: { ttl: 0 } }, "a duration from 1 ms up, such as 5000 or '30s', but is 0"],
    [
      'idempotency.processingTtl',
      { timeout: '1m', idempotency: { processingTtl: '1m' } },
      'longer than timeout (60000 ms), but is 60000',
    ],
    ['idempotency.ttls', { idempotency: { ttls: 1 } }, 'left out: it is unknown (did you mean "ttl"?), but is 1'],
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
      'option "defaults.name" must be left out: it is unknown (there are priority, concurrency, timeout, retry, circuit, rateLimit, idempotency, ordering), but is \'one\'',
    ],
    [7, 'option "defaults.options" must be an object, but is 7'],
  ])('%o in the module defaults, naming the module', (defaults, problem) => {
    expect(refusal({ priority: -1 }, defaults).message).toBe(`EventsModule.forRoot(): ${problem}`);
  });

  it("a handler's timeout over the processingTtl of the defaults", () => {
    expect(refusal({ timeout: '10m' }, { idempotency: { processingTtl: '6m' } }).message).toBe(
      `${PLACE}: option "idempotency.processingTtl" must be longer than timeout (600000 ms), but is 360000`,
    );
  });

  it('a handler that completes no rate limit of the defaults', () => {
    expect(refusal({}, { rateLimit: { limit: 5 } }).message).toBe(
      `${PLACE}: option "rateLimit.period" must be given, here or in defaults, but is undefined`,
    );
  });

  it("a handler's initialDelay over the maxDelay of the defaults", () => {
    expect(refusal({ retry: { initialDelay: '2s' } }, { retry: { maxDelay: '1s' } }).message).toBe(
      `${PLACE}: option "retry.maxDelay" must be at least retry.initialDelay (2000 ms), but is 1000`,
    );
  });
});
