import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidEventError } from '../errors/invalid-event.error.js';
import { serializePayload } from './serialize-payload.js';

function problemOf(payload: unknown): string {
  try {
    serializePayload(payload);
  } catch (error) {
    if (error instanceof InvalidEventError) return error.message;
    throw error;
  }
  return 'none';
}

class Payment {
  constructor(
    readonly amount: number,
    readonly lines: unknown[] = [],
  ) {}
}

class Money {
  #cents: number;
  constructor(cents: number) {
    this.#cents = cents;
  }
  get cents() {
    return this.#cents;
  }
}

describe('carries', () => {
  it.each([
    [null, 'null'],
    [0, '0'],
    ['', '""'],
    [false, 'false'],
    [[], '[]'],
    [{ a: undefined, b: [null, { c: 'd' }] }, '{"b":[null,{"c":"d"}]}'],
    ['a lone \ud800 half', '"a lone \\ud800 half"'],
    ['NUL \0', '"NUL \\u0000"'],
    [Object.assign(Object.create(null) as object, { bare: 1 }), '{"bare":1}'],
    [new Payment(5, [new Payment(6)]), '{"amount":5,"lines":[{"amount":6,"lines":[]}]}'],
    [JSON.parse('{"__proto__":{"x":1}}'), '{"__proto__":{"x":1}}'],
    [{ toJSON: 'a field of that name' }, '{"toJSON":"a field of that name"}'],
  ])('%j', (payload, text) => {
    expect(serializePayload(payload)).toBe(text);
  });

  it('any JSON value, so that it comes back as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        // JSON has no -0.
        const plain: unknown = JSON.parse(JSON.stringify(value));
        expect(JSON.parse(serializePayload(plain))).toEqual(plain);
      }),
    );
  });

  it('one object in two places', () => {
    const twice = { a: 1 };
    expect(serializePayload([twice, twice])).toBe('[{"a":1},{"a":1}]');
  });

  it('1,000 levels and no more', () => {
    expect([problemOf(nested(1000)), problemOf(nested(1001))]).toEqual([
      'none',
      'event payload.d.d.d.d.d.d.d.d.d.d["…"] is nested over 1000 levels deep',
    ]);
  });
});

/** An object of so many levels. */
function nested(levels: number): object {
  let value = {};
  for (let level = 1; level < levels; level++) value = { d: value };
  return value;
}

describe('refuses', () => {
  const cannot = ', which JSON cannot carry';
  it.each<[unknown, string]>([
    [undefined, `payload is undefined${cannot}`],
    [() => 1, `payload is a function${cannot}`],
    [Symbol('s'), `payload is a symbol${cannot}`],
    [1n, `payload is a bigint${cannot}`],
    [NaN, `payload is NaN${cannot}`],
    [{ total: -Infinity }, `payload.total is -Infinity${cannot}`],
    [{ items: [1, 2, { at: 3n }] }, `payload.items[2].at is a bigint${cannot}`],
    [{ 'a b': { '0': [Symbol('s')] } }, `payload["a b"]["0"][0] is a symbol${cannot}`],
    [{ list: [undefined] }, `payload.list[0] is undefined${cannot}`],
    [{ list: Array(3) }, `payload.list[0] is undefined${cannot}`],
    [{ call() {} }, `payload.call is a function${cannot}`],
    [
      { at: new Date(0) },
      'payload.at is an instance of Date, which would come back as its JSON form: publish that form',
    ],
    [
      { url: new URL('http://a') },
      'payload.url is an instance of URL, which would come back as its JSON form: publish that form',
    ],
    [
      { data: Buffer.from('a') },
      'payload.data is an instance of Buffer, which would come back as its JSON form: publish that form',
    ],
    [
      { toJSON: () => 1 },
      'payload is an object with toJSON, which would come back as its JSON form: publish that form',
    ],
    [new Map([['a', 1]]), `payload is an instance of Map${cannot}`],
    [{ set: new Set() }, `payload.set is an instance of Set${cannot}`],
    [[/x/], `payload[0] is an instance of RegExp${cannot}`],
    [{ bytes: new Uint8Array(2) }, `payload.bytes is an instance of Uint8Array${cannot}`],
    [{ error: new TypeError('x') }, `payload.error is an instance of TypeError${cannot}`],
    [{ later: Promise.resolve(1) }, `payload.later is an instance of Promise${cannot}`],
    [{ boxed: Object(1) }, `payload.boxed is an instance of Number${cannot}`],
    [{ price: new Money(5) }, `payload.price is an instance of Money${cannot}`],
    [new Payment(NaN), `payload.amount is NaN${cannot}`],
  ])('%o', (payload, problem) => {
    expect(problemOf(payload)).toBe(`event ${problem}`);
  });

  it('a cycle, at the place that closes it', () => {
    const order: Record<string, unknown> = { id: 1, lines: [{ sku: 'a' }] };
    (order.lines as object[]).push({ order });
    expect(problemOf(order)).toBe(
      'event payload.lines[1].order refers back to an object that contains it, which JSON cannot carry',
    );
    const self: unknown[] = [];
    self.push(self);
    expect(problemOf({ self })).toBe(
      'event payload.self[0] refers back to an object that contains it, which JSON cannot carry',
    );
  });

  it('without showing the value', () => {
    let refused: unknown;
    try {
      serializePayload({ card: { number: 'secret', at: new Date(0) } });
    } catch (error) {
      refused = error;
    }
    expect(inspect(refused)).not.toMatch(/secret|1970/);
    expect(refused).toMatchObject({ code: 'EVENTS_INVALID_EVENT', field: 'payload.card.at' });
  });
});
