/** Methods that handle dead letters: which are found, what boot refuses, which dead letters they are called with. */
import { Injectable } from '@nestjs/common';
import {
  type DeadLetter,
  DeadLetters,
  defineEvent,
  type DeliveryContext,
  EventInbox,
  EventMessage,
  EventPublisher,
  EventsError,
  OnDeadLetter,
  OnEvent,
} from 'nestjs-durable-events';
import { afterEach, describe, expect, it } from 'vitest';
import { exploreApp } from '../support/explored-app.js';
import { closeManualApps, manualApp, type ManualApp } from '../support/manual-app.js';

afterEach(closeManualApps);

const refunded = defineEvent<{ amount: number }>({ type: 'refund.made', idempotencyKey: ({ amount }) => `${amount}` });

/** Handles nothing well. */
@Injectable()
class Failing {
  @OnEvent('**', { name: 'failing', retry: false, circuit: false })
  run(event: EventMessage): void {
    throw new Error(`no ${event.type}`);
  }
}

/** Publishes one event of each type and lets the dead letters be told of. */
async function letDie({ app, clock }: ManualApp, ...types: string[]): Promise<void> {
  for (const type of types) await app.get(EventPublisher).publish(type, { amount: 5 }, { id: type });
  await clock.advance(5_000);
}

describe('what is found', () => {
  it('is an ordinary handler of the type of all notices, under its own name and options', async () => {
    class Alarm {
      @OnDeadLetter()
      all() {}

      @OnDeadLetter('payment.*', { name: 'payment-alarm', priority: 3, retry: { maxAttempts: 9 } })
      @OnDeadLetter(refunded)
      some() {}
    }
    const { definitions } = await exploreApp({ providers: [Alarm], defaults: { concurrency: 2 } });
    expect(
      definitions.map(({ name, source, patterns, definitions, options }) => ({
        name,
        source,
        patterns,
        definitions: [...definitions.keys()],
        options: [options.priority, options.concurrency, options.retry.maxAttempts],
      })),
    ).toEqual([
      {
        name: 'Alarm.all',
        source: 'Alarm.all',
        patterns: ['events.dead-letter'],
        definitions: ['events.dead-letter'],
        options: [50, 2, 5],
      },
      {
        name: 'payment-alarm',
        source: 'Alarm.some',
        patterns: ['events.dead-letter'],
        definitions: ['events.dead-letter'],
        options: [3, 2, 9],
      },
    ]);
  });
});

describe('refused at boot', () => {
  const untyped = OnDeadLetter as unknown as (...args: unknown[]) => MethodDecorator;
  const refusal = async (...decorators: MethodDecorator[]) => {
    class Alarm {
      ring() {}
    }
    const descriptor = Object.getOwnPropertyDescriptor(Alarm.prototype, 'ring') as PropertyDescriptor;
    for (const decorate of decorators) decorate(Alarm.prototype, 'ring', descriptor);
    const error: unknown = await exploreApp({ providers: [Alarm] }).catch((error: unknown) => error);
    return error instanceof EventsError ? error.message : `not refused: ${String(error)}`;
  };

  it.each<[string, MethodDecorator[], RegExp]>([
    ['@OnEvent on the same method', [untyped(), OnEvent('a') as MethodDecorator], /Alarm\.ring: .*@OnDeadLetter too/],
    ['the other way round', [OnEvent('a') as MethodDecorator, untyped('a')], /Alarm\.ring: .*@OnDeadLetter too/],
    ['an event of an import cycle', [untyped(undefined)], /Alarm\.ring: its event is undefined/],
    ['no event at all', [untyped({})], /Alarm\.ring: its event is neither a text nor made by defineEvent/],
    ['half a wildcard', [untyped('pay*')], /Alarm\.ring: .*has the segment 'pay\*'/],
    ['own types', [untyped('events.**')], /Alarm\.ring: dead letters of types under 'events\.' are told to nobody/],
    ['options twice', [untyped('a', {}), untyped('b', {})], /Alarm\.ring: .* only one of them can have options/],
    [
      'options out of range',
      [untyped('a', { priority: -1 })],
      /^@OnDeadLetter on Alarm\.ring: option "priority" must be /,
    ],
    [
      'idempotency without a key: that of the definition is of the event that has died',
      [untyped(refunded, { idempotency: {} })],
      /^@OnDeadLetter on Alarm\.ring: option "idempotency\.key" must be given/,
    ],
  ])('%s', async (_, decorators, message) => {
    expect(await refusal(...decorators)).toMatch(message);
  });

  it('but not an event that is left out for the sake of options', async () => {
    expect(await refusal(untyped(undefined, { name: 'alarm' }))).toBe('not refused: [object Object]');
  });
});

describe('a dead letter', () => {
  it('is what the method gets, and only those that it asks for', async () => {
    const told: Record<string, string[]> = { all: [], some: [] };
    const letters: DeadLetter[] = [];
    @Injectable()
    class Alarm {
      @OnDeadLetter(undefined, { name: 'all' })
      all({ payload, type }: EventMessage<DeadLetter>, { handler }: DeliveryContext): void {
        told[handler].push(`${type} of ${payload.event.type}`);
        letters.push(payload);
      }

      @OnDeadLetter('payment.*', { name: 'some' })
      @OnDeadLetter(refunded)
      some({ payload }: EventMessage<DeadLetter>, { handler }: DeliveryContext): void {
        told[handler].push(payload.event.type);
      }
    }
    const setting = await manualApp([Failing, Alarm]);
    await letDie(setting, 'payment.processed', 'user.named', 'refund.made');
    expect(told).toEqual({
      all: [
        'events.dead-letter of payment.processed',
        'events.dead-letter of user.named',
        'events.dead-letter of refund.made',
      ],
      some: ['payment.processed', 'refund.made'],
    });

    // What it is told of is what there is.
    const found = await setting.app.get(DeadLetters).list({ eventType: 'user.named' });
    const { event, ...letter } = letters[1];
    const { event: foundEvent, ...foundLetter } = found.items[0];
    expect(letter).toEqual(foundLetter);
    expect([event.id, event.payload, event.occurredAt]).toEqual([
      foundEvent.id,
      foundEvent.payload,
      foundEvent.occurredAt,
    ]);
  });

  it('that it did not ask for ends completed, uses up no token of its limit and none of its keys', async () => {
    const keys: string[] = [];
    const told: string[] = [];
    @Injectable()
    class Alarm {
      @OnDeadLetter('payment.*', {
        name: 'alarm',
        rateLimit: { limit: 1, period: '1h' },
        idempotency: { key: ({ payload }) => (keys.push(payload.event.type), payload.event.id) },
      })
      ring({ payload }: EventMessage<DeadLetter>): void {
        told.push(payload.event.type);
      }
    }
    const setting = await manualApp([Failing, Alarm]);
    await letDie(setting, 'user.named', 'user.gone', 'payment.processed', 'payment.refused');
    expect([told, keys]).toEqual([['payment.processed'], ['payment.processed']]);
    const inbox = setting.app.get(EventInbox);
    const { items } = await setting.app.get(DeadLetters).list();
    const states = await Promise.all(
      items.map(async ({ id, event }) => {
        const [{ state, attempts }] = await inbox.deliveries(`events.dead-letter:${id}:1`);
        return `${event.type} ${state} ${attempts}`;
      }),
    );
    expect(states.toSorted()).toEqual([
      'payment.processed completed 1',
      'payment.refused scheduled 0',
      'user.gone completed 1',
      'user.named completed 1',
    ]);
  });

  it('of the handler of dead letters itself is told to nobody', async () => {
    let told = 0;
    @Injectable()
    class Alarm {
      @OnDeadLetter(undefined, { retry: false })
      ring(): void {
        told++;
        throw new Error('the alarm is broken');
      }
    }
    const setting = await manualApp([Failing, Alarm]);
    await letDie(setting, 'user.named');
    const { items } = await setting.app.get(DeadLetters).list();
    expect([told, items.map(({ handler }) => handler)]).toEqual([1, ['Alarm.ring', 'failing']]);
  });
});
