/** Scope: what is meant to break out of where it belongs is stored and delivered as it is, or refused with a reason. */
import { EventsModule, InvalidEventError, InvalidOptionError, type PublishOptions } from 'nestjs-durable-events';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HANDLER_NAME, type HostileApp, hostileApps } from '../support/hostile-app.js';

const INJECTION = `Robert'); drop table event_inbox;-- " \` \\ % _ $1 ? :p {x}`;

/** So many characters, of which each is one for somebody else to stumble over. */
const characters = (count: number) => `'"\\%\u{1f600}`.repeat(count).slice(0, count);

const nested = (levels: number) => {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
};

const payloads: Record<string, unknown> = {
  'a megabyte': { text: 'x'.repeat(1_000_000) },
  'a payload nested 1,000 deep': nested(1_000),
  'a __proto__ of its own': JSON.parse('{"__proto__":{"polluted":true},"a":[{"__proto__":null}]}'),
  'a constructor of its own': { constructor: { prototype: { polluted: true } }, toString: 'x', hasOwnProperty: 1 },
  'NUL characters, also in keys': { 'a\0b': 'c\0d', '\0': ['\0'] },
  'halves of surrogate pairs, also in keys': { '\ud800': '\udfff', text: 'a\udc00\ud800b', whole: '\u{1f600}' },
  'keys that are SQL': { [INJECTION]: INJECTION, '': '' },
  'the ends of the number range': [1e308, -1e308, 5e-324, 2 ** 53 + 2, 0.1 + 0.2, 1e21],
  'line separators and a byte order mark': '\u2028\u2029\ufeff\u200d',
  'ten thousand keys': Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`k${index}`, index])),
};

const places: Record<string, PublishOptions & { readonly type?: string }> = {
  'an id that is SQL': { id: INJECTION },
  'an id of 255 characters': { id: characters(255) },
  'an id of 255 characters of three bytes each': { id: '漢'.repeat(255) },
  'an id that is __proto__': { id: '__proto__' },
  'an ordering key of odd characters': { orderingKey: `\u0001\t\n\u007f\u0085\uffff ${INJECTION}` },
  'an ordering key of 255 characters': { orderingKey: characters(255) },
  'a type that is SQL': { type: `x'); delete from event_inbox;-- " \\ %` },
  'a type of 255 characters': { type: characters(255) },
  'headers that are SQL': { headers: { [INJECTION]: INJECTION, '': '\0\ud800', constructor: 'x' } },
  'a header named __proto__': { headers: JSON.parse('{"__proto__":"x"}') as Record<string, string> },
};

class Point {
  toJSON() {
    return 'a point';
  }
}

const refusals: Record<string, { payload?: unknown; options?: PublishOptions; message: RegExp }> = {
  'a payload nested 1,001 deep': { payload: nested(1_001), message: /^event payload\S* is nested over 1000 levels/ },
  'a NaN': { payload: { a: [{ b: NaN }] }, message: /^event payload\.a\[0\]\.b is NaN/ },
  'an Infinity': { payload: { a: -Infinity }, message: /^event payload\.a is -Infinity/ },
  'a Date': { payload: { a: [new Date(0)] }, message: /^event payload\.a\[0\] is an instance of Date/ },
  'a Map': { payload: { "it's": new Map() }, message: /^event payload\["it's"\] is an instance of Map/ },
  'a Set': { payload: [new Set()], message: /^event payload\[0\] is an instance of Set/ },
  'a bigint': { payload: { a: 1n }, message: /^event payload\.a is a bigint/ },
  'a symbol': { payload: { a: Symbol('x') }, message: /^event payload\.a is a symbol/ },
  'a toJSON': { payload: { a: new Point() }, message: /^event payload\.a is an instance of Point/ },
  'a hole in a list': { payload: { a: [1, , 3] }, message: /^event payload\.a\[1\] is undefined/ }, // oxlint-disable-line no-sparse-arrays
  'an id of 256 characters': { options: { id: characters(256) }, message: /^event id may have 255 characters/ },
  'an id with NUL': { options: { id: 'a\0' }, message: /^event id has a NUL/ },
  'an id with half a pair': { options: { id: '\udc00a' }, message: /^event id has .* surrogate pair/ },
  'a key of 256 characters': { options: { orderingKey: characters(256) }, message: /^event orderingKey may have 255/ },
  'a key with half a pair': { options: { orderingKey: 'a\ud800' }, message: /^event orderingKey has .* surrogate/ },
  'headers over maxPayloadBytes': {
    options: { headers: { a: 'é'.repeat(2 ** 19) } },
    message: /^event headers has 1048584 bytes as JSON, but maxPayloadBytes is 1048576/,
  },
  'a payload over maxPayloadBytes, counted in bytes': {
    payload: 'é'.repeat(2 ** 19),
    message: /^event payload has 1048578 bytes as JSON, but maxPayloadBytes is 1048576/,
  },
};

describe.each(hostileApps)('on %s', (_, open) => {
  let hostile: HostileApp;
  beforeAll(async () => {
    hostile = await open();
  });
  afterAll(() => hostile?.close());

  /** Once as it is stored, and once as the handler got it. */
  async function publishAndRead(type: string, payload: unknown, options: PublishOptions) {
    const { publisher, inbox, seen } = hostile;
    const { id } = await publisher.publish(type, payload, options);
    await expect.poll(() => seen.has(id), { timeout: 20_000 }).toBe(true);
    return { id, stored: await inbox.get(id), delivered: seen.get(id) };
  }

  it.each(Object.entries(payloads))('%s comes back as it was', async (_what, payload) => {
    const { stored, delivered } = await publishAndRead('hostile.payload', payload, {});
    // To the character, and in the same order.
    const text = JSON.stringify(payload);
    expect(JSON.stringify(stored?.payload) === text).toBe(true);
    expect(JSON.stringify(delivered?.payload) === text).toBe(true);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('a key named __proto__ is data of its own', async () => {
    const { delivered } = await publishAndRead('hostile.payload', payloads['a __proto__ of its own'], {});
    const payload = delivered?.payload as object;
    expect([Object.hasOwn(payload, '__proto__'), Object.getPrototypeOf(payload)]).toEqual([true, Object.prototype]);
  });

  it('-0 is 0, as JSON has it', async () => {
    const { stored } = await publishAndRead('hostile.payload', { zero: -0 }, {});
    expect(stored?.payload).toEqual({ zero: 0 });
  });

  it.each(Object.entries(places))('%s comes back as it was, and is only text', async (_what, given) => {
    const { type = 'hostile.place', ...options } = given;
    const { id, stored, delivered } = await publishAndRead(type, {}, options);
    for (const event of [stored, delivered]) {
      expect([event?.id, event?.type, event?.orderingKey]).toEqual([options.id ?? id, type, options.orderingKey]);
      expect(JSON.stringify(event?.headers)).toBe(JSON.stringify(options.headers ?? {}));
    }
    const again = await hostile.publisher.publish('hostile.place', {}, { id });
    expect(again).toEqual({ id, duplicate: true });
    const [delivery] = await hostile.inbox.deliveries(id);
    expect(delivery?.handler).toBe(HANDLER_NAME);
  });

  it.each(Object.entries(refusals))(
    '%s is refused, alone and in a list, and nothing is stored',
    async (_what, refusal) => {
      const { payload = {}, options = {}, message } = refusal;
      const { publisher, inbox } = hostile;
      const before = await hostile.count('inbox');
      const alone = await publisher
        .publish('hostile.refused', payload as never, options)
        .catch((error: unknown) => error);
      const listed = await publisher
        .publishAll([
          { event: 'hostile.refused', payload: {}, id: 'neighbour' },
          { event: 'hostile.refused', payload, ...options },
        ])
        .catch((error: unknown) => error);
      expect(alone).toBeInstanceOf(InvalidEventError);
      expect(alone).toMatchObject({ code: 'EVENTS_INVALID_EVENT', message: expect.stringMatching(message) });
      expect(listed).toMatchObject({ index: 1, message: expect.stringMatching(/ \(event 1 of the list\)$/) });
      expect([await hostile.count('inbox'), await inbox.get('neighbour')]).toEqual([before, null]);
    },
  );

  it('a payload of maxPayloadBytes to the byte is taken', async () => {
    const payload = 'é'.repeat(2 ** 19 - 1);
    const { stored } = await publishAndRead('hostile.payload', payload, {});
    expect(stored?.payload === payload).toBe(true);
  });
});

describe('a boot is refused, naming option and value, with', () => {
  it.each([
    ['tablePrefix', `x"; drop table orders;--`],
    ['tablePrefix', `it's_`],
    ['tablePrefix', 'a b'],
    ['tablePrefix', '1st_'],
    ['tablePrefix', 'ünder_'],
    ['tablePrefix', ''],
    ['schema', `public"; drop schema public cascade;--`],
    ['schema', `o'brien`],
    ['schema', 'public.'],
    ['schema', 'a\0b'],
  ])('%s %j', async (option, value) => {
    const boot = async () => {
      const imports = [EventsModule.forRoot({ store: 'memory', [option]: value })];
      await Test.createTestingModule({ imports })
        .setLogger(false as never)
        .compile();
    };
    const error: unknown = await boot().catch((refusal: unknown) => refusal);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect((error as Error).message).toContain(option);
    expect((error as InvalidOptionError).value).toBe(value);
  });
});
