/** Scope: what a publish stores, what its receipts say, and what it refuses; nothing that is refused is stored. */
import { Test, type TestingModule } from '@nestjs/testing';
import {
  defineEvent,
  EventInbox,
  EventPublisher,
  EventsModule,
  InvalidEventError,
  PayloadValidationError,
  type EventDefinition,
  type PublishOptions,
} from 'nestjs-durable-events';
import { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { databaseKinds, type OwnDatabase } from '../support/database-kinds.js';
import { OrderHandler } from '../support/shop-app.js';

/** The library goes by the database's time, measured to half a round trip. */
const SKEW_MS = 100;
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const cart = defineEvent({
  type: 'cart.filled',
  schema: z.object({ items: z.array(z.object({ price: z.number() })) }),
  orderingKey: ({ items }) => (items.length > 9 ? 'x'.repeat(256) : undefined),
});

const nested = (levels: number) => {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
};
const cycle: Record<string, unknown> = { name: 'cycle' };
cycle['self'] = { parent: cycle };

interface Refusal {
  readonly event?: string | EventDefinition;
  readonly payload?: unknown;
  readonly options?: Record<string, unknown>;
  /** Says what is wrong, and where. */
  readonly message: RegExp;
  readonly schema?: true;
}

const refusals: Record<string, Refusal> = {
  'a payload that is undefined': { payload: undefined, message: /^event payload is undefined/ },
  'a bigint': { payload: { amount: 1n }, message: /^event payload\.amount is a bigint/ },
  'a NaN': { payload: { a: [1, NaN] }, message: /^event payload\.a\[1\] is NaN/ },
  'a Date': { payload: { at: new Date(0) }, message: /^event payload\.at is an instance of Date/ },
  'a function': { payload: { run: () => 1 }, message: /^event payload\.run is a function/ },
  'a Map': { payload: new Map(), message: /^event payload is an instance of Map/ },
  'a cycle': { payload: cycle, message: /^event payload\.self\.parent refers back/ },
  'a payload nested 2,000 deep': { payload: nested(2_000), message: /nested over 1000 levels/ },
  'a payload over maxPayloadBytes': { payload: 'é'.repeat(500), message: /has 1002 bytes .* maxPayloadBytes is 1000/ },
  'an empty type': { event: '', message: /^event type must not be empty/ },
  'a type that is no text': { event: 7 as unknown as string, message: /^event type must be a text/ },
  'a type of 256 characters': { event: 'x'.repeat(256), message: /^event type may have 255 characters, but has 256/ },
  'a type with a wildcard': { event: 'order.*', message: /^event type must be one event type without wildcards/ },
  "the library's own prefix": { event: 'events.mine', message: /^event type must not begin with 'events\.'/ },
  'a type with NUL': { event: 'order\0', message: /^event type has a NUL/ },
  'a negative delay': { options: { delay: -1 }, message: /^event delay .* but is -1/ },
  'a delay that is NaN': { options: { delay: NaN }, message: /^event delay .* but is NaN/ },
  'a delay that is no duration': { options: { delay: 'soon' }, message: /^event delay .* but is 'soon'/ },
  'a delay that is null': { options: { delay: null }, message: /^event delay .* but is null/ },
  'an endless delay': { options: { delay: Infinity }, message: /^event delay .* but is Infinity/ },
  'a delay until an invalid Date': { options: { delay: new Date(NaN) }, message: /^event delay must be a valid Date/ },
  'an empty id': { options: { id: '' }, message: /^event id must be a text that is not empty/ },
  'an id of 256 characters': { options: { id: 'x'.repeat(256) }, message: /^event id may have 255 characters/ },
  'an id with NUL': { options: { id: 'a\0b' }, message: /^event id has a NUL/ },
  'an id with half a surrogate pair': { options: { id: 'a\ud800' }, message: /^event id has .* surrogate pair/ },
  'a priority of 101': { options: { priority: 101 }, message: /^event priority .* but is 101/ },
  'a priority of 1.5': { options: { priority: 1.5 }, message: /^event priority .* but is 1\.5/ },
  'a version of 0': { options: { version: 0 }, message: /^event version .* but is 0/ },
  'a header that is no text': { options: { headers: { tries: 3 } }, message: /^event headers\.tries must be a text/ },
  'headers that are a text': { options: { headers: 'trace' }, message: /^event headers must be an object of texts/ },
  'headers that are null': { options: { headers: null }, message: /^event headers must be an object of texts/ },
  'occurredAt that is no Date': { options: { occurredAt: 5 }, message: /^event occurredAt must be a valid Date/ },
  'an ordering key with NUL': { options: { orderingKey: '\0' }, message: /^event orderingKey has a NUL/ },
  "a definition's ordering key that is too long": {
    event: cart,
    payload: { items: Array.from({ length: 10 }, () => ({ price: 1 })) },
    message: /^event orderingKey may have 255 characters/,
  },
  'a payload that the schema refuses': {
    event: cart,
    payload: { items: [{ price: 1 }, { price: '2' }] },
    message: /^the payload of cart\.filled is invalid at items\[1\]\.price/,
    schema: true,
  },
};

describe.each(databaseKinds)('a publish on $name', (kind) => {
  let database: OwnDatabase;
  let app: TestingModule;
  let watcher: DataSource;
  let publisher: EventPublisher;
  let inbox: EventInbox;

  beforeAll(async () => {
    database = await kind.create();
    app = await Test.createTestingModule({
      imports: [EventsModule.forRoot({ dataSource: database.options, maxPayloadBytes: 1_000 })],
      providers: [OrderHandler],
    })
      .setLogger(false as never)
      .compile();
    await app.init();
    publisher = app.get(EventPublisher);
    inbox = app.get(EventInbox);
    watcher = await new DataSource(database.options).initialize();
  });

  afterEach(() => {
    app.get(OrderHandler).seen.length = 0;
  });

  afterAll(async () => {
    await watcher?.destroy();
    await app?.close();
    await database?.drop();
  });

  const count = async (table: string) => {
    const [row] = await watcher.query<{ n: string | number }[]>(`select count(*) as n from ${table}`);
    return Number(row?.n);
  };

  it('stores all that it was given', async () => {
    const options: PublishOptions = {
      id: 'order-7\u{1f600}',
      version: 3,
      headers: { 'trace-id': 'abc', quote: '"\\ \0 é' },
      occurredAt: new Date('2001-02-03T04:05:06.789Z'),
      orderingKey: 'customer-1',
      priority: 7,
    };
    const payload = { amount: 1.5, text: 'a\0b \ud800 é', nothing: null, list: [[], {}] };
    const before = Date.now();
    const receipt = await publisher.publish('nobody.cares', payload, options);
    const event = await inbox.get(receipt.id);
    expect(event).toMatchObject({
      id: 'order-7\u{1f600}',
      type: 'nobody.cares',
      version: 3,
      payload,
      headers: options.headers,
      occurredAt: options.occurredAt,
      orderingKey: 'customer-1',
    });
    expect(event?.receivedAt.getTime()).toBeGreaterThanOrEqual(before - SKEW_MS);
    expect(event?.receivedAt.getTime()).toBeLessThanOrEqual(Date.now() + SKEW_MS);
    const [row] = await watcher.query<{ priority: number }[]>(
      `select priority from event_inbox where type = 'nobody.cares'`,
    );
    expect(row?.priority).toBe(7);
    expect(await inbox.get('order-8')).toBeNull();
  });

  it('gives ids that are UUIDs of version 7, in the order of publishing', async () => {
    const receipts = await publisher.publishAll([1, 2, 3].map((n) => ({ event: 'nobody.cares', payload: n })));
    const ids = receipts.map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted());
    expect(ids).toEqual([1, 2, 3].map(() => expect.stringMatching(UUID_V7)));
  });

  it('answers which ids the inbox had already, across calls and within one; the first wins', async () => {
    const first = await publisher.publish('nobody.cares', 'first', { id: 'same' });
    const again = await publisher.publish('nobody.cares', 'again', { id: 'same' });
    const receipts = await publisher.publishAll([
      { event: 'nobody.cares', payload: 'third', id: 'same' },
      { event: 'nobody.cares', payload: 'new', id: 'new' },
      { event: 'nobody.cares', payload: 'newer', id: 'new' },
    ]);
    expect([first, again, receipts]).toEqual([
      { id: 'same', duplicate: false },
      { id: 'same', duplicate: true },
      [
        { id: 'same', duplicate: true },
        { id: 'new', duplicate: false },
        { id: 'new', duplicate: true },
      ],
    ]);
    expect([(await inbox.get('same'))?.payload, (await inbox.get('new'))?.payload]).toEqual(['first', 'new']);
  });

  it('runs a duplicate no second time', async () => {
    for (const n of [1, 2]) await publisher.publish('order.placed', { n }, { id: 'order-1' });
    await publisher.publish('order.placed', { n: 3 });
    const handler = app.get(OrderHandler);
    await expect.poll(() => handler.seen.length).toBe(2);
    expect(handler.seen).toEqual([{ n: 1 }, { n: 3 }]);
  });

  it('holds an event back for its delay, given as a duration or as a moment; a moment that has passed is at once', async () => {
    const handler = app.get(OrderHandler);
    const started = new Map<unknown, number>();
    handler.work = ({ payload }) => started.set(payload, Date.now() - publishedAt);
    const publishedAt = Date.now();
    await publisher.publish('order.placed', 'in an hour', { id: 'hour', delay: '1h' });
    await publisher.publish('order.placed', 'in 300 ms', { delay: 300 });
    await publisher.publish('order.placed', 'at a moment', { delay: new Date(publishedAt + 600) });
    await publisher.publish('order.placed', 'at once', { delay: new Date(publishedAt - 1_000) });
    await expect.poll(() => started.size, { timeout: 5_000 }).toBe(3);
    expect(new Set(started.keys())).toEqual(new Set(['at a moment', 'at once', 'in 300 ms']));
    expect(started.get('in 300 ms')).toBeGreaterThanOrEqual(300 - SKEW_MS);
    expect(started.get('at a moment')).toBeGreaterThanOrEqual(600 - SKEW_MS);
    expect(await inbox.deliveries('hour')).toMatchObject([{ handler: 'orders', state: 'scheduled', attempts: 0 }]);
    const [delivery] = await inbox.deliveries('hour');
    expect((delivery?.availableAt?.getTime() ?? 0) - publishedAt).toBeGreaterThanOrEqual(3_600_000 - SKEW_MS);
    expect((delivery?.availableAt?.getTime() ?? 0) - publishedAt).toBeLessThan(3_610_000);
    handler.work = () => undefined;
  });

  describe.each(Object.entries(refusals))(
    'of %s',
    (_, { event = 'order.placed', payload, options = {}, message, schema }) => {
      const given = options as PublishOptions;
      const content = payload === undefined && Object.keys(options).length > 0 ? {} : payload;
      const expected = schema
        ? { type: PayloadValidationError, code: 'EVENTS_INVALID_PAYLOAD' }
        : { type: InvalidEventError, code: 'EVENTS_INVALID_EVENT' };

      it('is refused with an error that says where and why, and stores nothing', async () => {
        const before = [await count('event_inbox'), await count('event_delivery')];
        const alone = await publisher.publish(event, content, given).catch((error: unknown) => error);
        const among = await publisher
          .publishAll([
            { event: 'order.placed', payload: { n: 1 } },
            { event, payload: content, ...given },
            { event: 'order.placed', payload: { n: 2 } },
          ])
          .catch((error: unknown) => error);
        for (const error of [alone, among]) {
          expect(error).toBeInstanceOf(expected.type);
          expect(error).toMatchObject({ code: expected.code, message: expect.stringMatching(message) });
        }
        const at = { index: 1, message: expect.stringMatching(/ \(event 1 of the list\)$/) };
        expect([(alone as InvalidEventError).index, among]).toEqual([undefined, expect.objectContaining(at)]);
        expect([await count('event_inbox'), await count('event_delivery')]).toEqual(before);
      });
    },
  );
});
