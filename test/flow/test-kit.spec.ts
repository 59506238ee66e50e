/** The test kit itself: what it sees, when it stops waiting, and what it says when a test's expectation fails. */
import { AssertionError } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { DeliveryContext, EventHandlerRegistry, EventMessage, EventPublisher, OnEvent } from 'nestjs-durable-events';
import { EventsTestingModule, EventsTestKit, NotIdleError } from 'nestjs-durable-events/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const retry = { maxAttempts: 2, backoff: 'fixed', initialDelay: '5m', jitter: 'none' } as const;

@Injectable()
class Orders {
  work: (event: EventMessage, context: DeliveryContext) => unknown = () => undefined;

  @OnEvent('order.placed', {
    name: 'orders',
    retry,
    timeout: '1h',
    circuit: { failureThreshold: 1, openDuration: '10m' },
  })
  run(event: EventMessage, context: DeliveryContext): unknown {
    return this.work(event, context);
  }
}

let app: TestingModule;
let kit: EventsTestKit;
let orders: Orders;

beforeEach(async () => {
  app = await Test.createTestingModule({ imports: [EventsTestingModule.forRoot()], providers: [Orders] }).compile();
  app.useLogger(false);
  await app.init();
  kit = app.get(EventsTestKit);
  orders = app.get(Orders);
});
afterEach(async () => {
  const closed = app.close();
  await kit.clock.advance('1m');
  await closed;
});

const place = (id: string, payload: object = { n: 1 }, event = 'order.placed') =>
  app.get(EventPublisher).publish(event, payload, { id, headers: { by: 'test' } });

async function failureOf(work: () => unknown): Promise<Error> {
  try {
    await work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
}

describe('published', () => {
  it('answers what was committed, by type, pattern or all of it', async () => {
    await place('o-1');
    await place('o-2', { n: 2 }, 'order.cancelled');
    const publisher = app.get(EventPublisher);
    await failureOf(() =>
      publisher.transaction(async () => {
        await place('o-3');
        throw new Error('rolled back');
      }),
    );
    expect(kit.published().map(({ id }) => id)).toEqual(['o-1', 'o-2']);
    expect(kit.published('order.*')).toHaveLength(2);
    expect(kit.published('order.cancelled')).toMatchObject([{ payload: { n: 2 }, headers: { by: 'test' } }]);
    expect(kit.expectPublished('order.placed', { n: 1 }, { headers: { by: /^te/ } }).id).toBe('o-1');
  });

  it('a failed expectation tells what was published and where it differs', async () => {
    await place('o-1', { n: 1, city: 'Rome' });
    await place('o-2', {}, 'order.cancelled');
    const failure = await failureOf(() => kit.expectPublished('order.placed', { city: 'Oslo' }));
    expect(failure).toBeInstanceOf(AssertionError);
    expect(failure.message).toBe(
      [
        "order.placed was not published with { payload: { city: 'Oslo' } }",
        'published:',
        "  order.placed o-1 { n: 1, city: 'Rome' }",
        "    payload.city: expected 'Oslo', was 'Rome'",
        '  order.cancelled o-2 {}',
      ].join('\n'),
    );
  });
});

describe('outcomes', () => {
  it('a failed expectation tells what became of the deliveries', async () => {
    orders.work = () => Promise.reject(new TypeError('no stock'));
    await place('o-1');
    await kit.drain();
    const failure = await failureOf(() => kit.expectOutcome('orders', { outcome: 'completed' }));
    expect(failure.message).toBe(
      [
        "no delivery of orders is { outcome: 'completed' }",
        'deliveries:',
        '  orders: order.placed o-1 scheduled, 1 attempt, due 2026-01-01T00:05:00.000Z, last TypeError: no stock',
        "    outcome: expected 'completed', was 'scheduled'",
      ].join('\n'),
    );
  });

  it('a handler that there is not is not one without deliveries', async () => {
    expect((await failureOf(() => kit.outcomes('order'))).message).toBe(
      'there is no handler order\nhandlers:\n  orders',
    );
  });
});

describe('drain', () => {
  it('waits for handlers that wait for something real', async () => {
    orders.work = () => sleep(20);
    await place('o-1');
    await kit.drain();
    kit.expectOutcome('orders', { outcome: 'completed' });
  });

  it('leaves the clock where it is, unless it is to advance; then it goes no further than it must', async () => {
    let failures = 1;
    orders.work = () => (failures-- > 0 ? Promise.reject(new Error('once')) : undefined);
    const start = kit.clock.now();
    await place('o-1');
    await kit.drain();
    expect(kit.clock.now()).toBe(start);
    await kit.drain({ advance: true });
    kit.expectOutcome('orders', { outcome: 'completed', attempts: 2 });
    // The retry was due after 5 minutes, but the first failure opened the circuit for 10.
    expect(kit.clock.now() - start).toBe(600_000);
  });

  it('names the handler that runs for too long', async () => {
    orders.work = () => new Promise(() => {});
    await place('o-1');
    const failure = await failureOf(() => kit.drain({ patience: 50 }));
    expect(failure).toBeInstanceOf(NotIdleError);
    expect(failure.message).toBe(
      'the node does not come to rest: a handler has run for 50 ms\n  orders: order.placed o-1 processing, 0 attempts',
    );
  });

  it('names what is put off again and again', async () => {
    orders.work = (_, context) => context.snooze('1h');
    await place('o-1');
    const failure = await failureOf(() => kit.drain({ advance: true, limit: 3 }));
    expect(failure.message).toBe(
      'the node does not come to rest: after 3 moves of the clock there is always more\n' +
        '  orders: order.placed o-1 scheduled, 0 attempts, due 2026-01-01T04:00:00.000Z',
    );
  });

  it('names what no time will bring', async () => {
    await app.get(EventHandlerRegistry).pause('orders');
    await kit.drain();
    await place('o-1');
    await kit.drain();
    const failure = await failureOf(() => kit.drain({ advance: true }));
    expect(failure.message).toBe(
      'the node does not come to rest: no passing of time lets this run\n' +
        '  orders: order.placed o-1 pending, 0 attempts; its handler is paused',
    );
  });

  it('gives up on events that go round in circles', async () => {
    orders.work = () => app.get(EventPublisher).publish('order.placed', {});
    await place('o-1');
    const failure = await failureOf(() => kit.drain());
    expect(failure.message).toContain('the node does not come to rest: events seem to go round in circles');
  });
});

describe('a second node of the same cluster', () => {
  it('shares data and clock: it takes over what a crashed node has left', async () => {
    orders.work = () => undefined;
    kit.faults.inject('before settle', { crash: true });
    await place('o-1');
    await kit.drain();
    expect(kit.faults.silent).toBe(true);
    kit.expectOutcome('orders', { outcome: 'processing' });

    const second = await Test.createTestingModule({
      imports: [EventsTestingModule.forRoot({ joins: kit })],
      providers: [Orders],
    }).compile();
    second.useLogger(false);
    await second.init();
    expect(second.get(EventsTestKit).clock).toBe(kit.clock);
    expect(second.get(EventsTestKit).outcomes('orders')).toEqual(kit.outcomes('orders'));
    await second.close();
  });
});
