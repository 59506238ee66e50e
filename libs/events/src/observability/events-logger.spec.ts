/** Scope: what reaches the application's logger; in which form each real one takes it: test/flow/logs-in-loggers.spec.ts. */
import { Logger, type LoggerService } from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { EventsLogger } from './events-logger.js';

const nests = (Logger as unknown as { staticInstanceRef: LoggerService }).staticInstanceRef;
afterEach(() => Logger.overrideLogger(nests));

function setUp() {
  const target = { log: vi.fn(), debug: vi.fn(), warn: vi.fn(), error: vi.fn() };
  Logger.overrideLogger(target);
  return { target, logger: new EventsLogger('Here') };
}

const LEVELS = ['log', 'debug', 'warn', 'error'] as const;

it('gives an application’s own logger the message, of an error its stack, the fields, and the context last', () => {
  const { target, logger } = setUp();
  for (const level of LEVELS) logger[level]('it happened', { handler: 'h' });
  logger.error('it failed', { handler: 'h' }, 'Error: down\n    at here.ts:1:1');
  const line = ['it happened', { handler: 'h' }, 'Here'];
  expect([target.log.mock.calls, target.debug.mock.calls, target.warn.mock.calls]).toEqual([[line], [line], [line]]);
  expect(target.error.mock.calls).toEqual([
    ['it happened', undefined, { handler: 'h' }, 'Here'],
    ['it failed', 'Error: down\n    at here.ts:1:1', { handler: 'h' }, 'Here'],
  ]);
});

it.each([
  ['line 1\r\n\tERROR line 2', 'line 1 ERROR line 2'],
  ['red \u001b[31mtext\u2028and more', 'red  [31mtext and more'],
  ['cannot reach postgres://shop:s3cr@t@db:5432/shop', 'cannot reach postgres://***@db:5432/shop'],
  ['see https://docs.example.com/a?mail=me@here', 'see https://docs.example.com/a?mail=me@here'],
])('makes of %j one line without credentials', (message, written) => {
  const { target, logger } = setUp();
  logger.warn(message);
  expect(target.warn.mock.calls).toEqual([[written, {}, 'Here']]);
});

it('takes credentials out of a stack, and leaves its lines', () => {
  const { target, logger } = setUp();
  logger.error('failed', {}, 'Error: mysql://root:pw@db/x\n    at here.ts:1:1');
  expect(target.error.mock.calls[0]).toContain('Error: mysql://***@db/x\n    at here.ts:1:1');
});

describe('changes nothing', () => {
  it('when the logger throws', () => {
    const { target, logger } = setUp();
    for (const level of LEVELS) {
      target[level].mockImplementation(() => {
        throw new Error('disk full');
      });
      expect(() => logger[level]('it happened')).not.toThrow();
      expect(target[level]).toHaveBeenCalledOnce();
    }
  });

  it('when the application has none, or one without this level', () => {
    const { logger } = setUp();
    Logger.overrideLogger(false);
    for (const level of LEVELS) expect(() => logger[level]('it happened')).not.toThrow();
    Logger.overrideLogger({ log: vi.fn(), warn: vi.fn(), error: vi.fn() });
    expect(() => logger.debug('it happened')).not.toThrow();
  });
});
