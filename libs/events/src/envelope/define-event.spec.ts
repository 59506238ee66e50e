import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InvalidEventError } from '../errors/invalid-event.error.js';
import { InvalidOptionError } from '../errors/invalid-option.error.js';
import { defineEvent } from './define-event.js';
import { checkEventType } from './event-type-name.js';

it('fills in version 1 and leaves out what is not given', () => {
  expect(defineEvent({ type: 'payment.processed' })).toEqual({ type: 'payment.processed', version: 1 });
});

it('keeps what is given, frozen', () => {
  const schema = z.object({ account: z.string() });
  const orderingKey = ({ account }: { account: string }) => account;
  const keys = { orderingKey, idempotencyKey: () => 'i', rateLimitKey: () => undefined };
  const upcasters = { 1: (text: string) => [text], 2: async ([account]: string[]) => Promise.resolve({ account }) };
  const definition = defineEvent({ type: 'a', version: 3, schema, ...keys, upcasters });
  expect(definition).toEqual({ type: 'a', version: 3, schema, ...keys, upcasters });
  expect([Object.isFrozen(definition), Object.isFrozen(definition.upcasters)]).toEqual([true, true]);
});

describe('refuses', () => {
  it.each([
    [{ type: '' }, 'defineEvent(): option "type" must be an event type (it must not be empty), but is \'\''],
    [{}, 'defineEvent(): option "type" must be an event type (it must be a text, but is undefined), but is undefined'],
    [{ type: 'a.b', version: 0 }, 'defineEvent() of a.b: option "version" must be a whole number from 1 up, but is 0'],
    [
      { type: 'a.b', version: 1.5 },
      'defineEvent() of a.b: option "version" must be a whole number from 1 up, but is 1.5',
    ],
    [{ type: 'a.b', schema: {} }, 'defineEvent() of a.b: option "schema" must be a Standard Schema, but is {}'],
    [{ type: 'a.b', schema: null }, 'defineEvent() of a.b: option "schema" must be a Standard Schema, but is null'],
    [
      { type: 'a.b', orderingKey: 'id' },
      'defineEvent() of a.b: option "orderingKey" must be a function, but is \'id\'',
    ],
    [
      { type: 'a.b', idempotencyKey: 'id' },
      'defineEvent() of a.b: option "idempotencyKey" must be a function, but is \'id\'',
    ],
    [
      { type: 'a.b', rateLimitKey: null },
      'defineEvent() of a.b: option "rateLimitKey" must be a function, but is null',
    ],
    [{ type: 'a.b', upcasters: [] }, 'defineEvent() of a.b: option "upcasters" must be an object, but is []'],
    [
      { type: 'a.b', upcasters: { 1: () => 1 } },
      'defineEvent() of a.b: option "upcasters.1" must be left out: there is no older version, but is [Function: 1]',
    ],
    [
      { type: 'a.b', version: 3, upcasters: { 3: () => 1 } },
      'defineEvent() of a.b: option "upcasters.3" must be left out: the older versions are 1 to 2, but is [Function: 3]',
    ],
    [
      { type: 'a.b', version: 3, upcasters: { 0: () => 1 } },
      'defineEvent() of a.b: option "upcasters.0" must be left out: the older versions are 1 to 2, but is [Function: 0]',
    ],
    [
      { type: 'a.b', version: 3, upcasters: { '1.5': () => 1 } },
      'defineEvent() of a.b: option "upcasters.1.5" must be left out: the older versions are 1 to 2, but is [Function: 1.5]',
    ],
    [
      { type: 'a.b', version: 3, upcasters: { 2: 'rename' } },
      'defineEvent() of a.b: option "upcasters.2" must be a function, but is \'rename\'',
    ],
    [
      { type: 'a.b', orderingkey: () => 'a' },
      'defineEvent(): option "orderingkey" must be left out: it is unknown (did you mean "orderingKey"?), but is [Function: orderingkey]',
    ],
  ])('%j', (options, message) => {
    let refused: unknown;
    try {
      defineEvent(options as never);
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(InvalidOptionError);
    expect((refused as Error).message).toBe(message);
  });
});

describe('an event type', () => {
  it.each([
    'a',
    'payment.processed',
    'Payment Processed/v2',
    'events',
    'eventsource.x',
    'zahlung.verbucht-ä',
    'x'.repeat(255),
  ])('may be %s', (type) => {
    expect(() => checkEventType(type)).not.toThrow();
  });

  it.each([
    ['', 'must not be empty'],
    ['x'.repeat(256), 'may have 255 characters, but has 256'],
    ['a.*', "must be one event type without wildcards ('*'), but is 'a.*'"],
    ['a*', "must be one event type without wildcards ('*'), but is 'a*'"],
    ['events.mine', "must not begin with 'events.', which is reserved, but is 'events.mine'"],
    ['a..b', "has an empty segment: 'a..b'"],
    ['a.', "has an empty segment: 'a.'"],
    ['a\0', "has a NUL character or half of a surrogate pair: 'a\\x00'"],
    ['a\udc00', `has a NUL character or half of a surrogate pair: ${inspect('a\udc00')}`],
    [undefined, 'must be a text, but is undefined'],
    [{ type: 'a' }, "must be a text, but is { type: 'a' }"],
  ])('may not be %j', (type, problem) => {
    expect(() => checkEventType(type)).toThrow(new InvalidEventError('type', problem));
  });
});
