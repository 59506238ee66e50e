/** Which methods of a real Nest application become handlers. */
import { Controller, Injectable, Scope } from '@nestjs/common';
import { describe, expect, it, vi } from 'vitest';
import { defineEvent, DeliveryContext, EventMessage, OnEvent, type OnEventOptions } from 'nestjs-durable-events';
import { deliver, exploreApp } from '../support/explored-app.js';

interface Paid {
  amount: number;
}

const PaidEvent = defineEvent<Paid>({ type: 'payment.processed' });

@Injectable()
class Prices {
  readonly factor = 2;
}

describe('what is found', () => {
  it('finds methods of providers and controllers, whose constructors are injected as anywhere in Nest', async () => {
    @Injectable()
    class Ledger {
      constructor(private readonly prices: Prices) {}

      @OnEvent(PaidEvent, { name: 'ledger', priority: 10 })
      book(event: EventMessage<Paid>, context: DeliveryContext) {
        return [event.payload.amount * this.prices.factor, context.handler];
      }

      notDecorated() {}
    }

    @Controller('payments')
    class PaymentController {
      constructor(private readonly prices: Prices) {}

      @OnEvent('payment.*')
      seen(event: EventMessage<Paid>) {
        return event.payload.amount + this.prices.factor;
      }
    }

    const shop = await exploreApp({ providers: [Prices, Ledger], controllers: [PaymentController] });
    expect(
      shop.definitions.map(({ name, source, patterns, definitions, options }) => ({
        name,
        source,
        patterns,
        definitions: [...definitions],
        priority: options.priority,
      })),
    ).toEqual([
      {
        name: 'ledger',
        source: 'Ledger.book',
        patterns: ['payment.processed'],
        definitions: [['payment.processed', PaidEvent]],
        priority: 10,
      },
      {
        name: 'PaymentController.seen',
        source: 'PaymentController.seen',
        patterns: ['payment.*'],
        definitions: [],
        priority: 50,
      },
    ]);
    expect(await deliver(shop, 'ledger')).toEqual([10, 'ledger']);
    expect(await deliver(shop, 'PaymentController.seen')).toBe(7);
    expect(shop.warnings).toEqual([]);
  });

  it('the config map leads from an event type to its handlers', async () => {
    class Shop {
      @OnEvent('payment.**')
      any() {}

      @OnEvent(PaidEvent)
      paid() {}

      @OnEvent('refund.made')
      refunded() {}
    }
    const { registry } = await exploreApp({ providers: [Shop] });
    const types = ['payment.processed', 'payment', 'refund.made', 'else'];
    const read = () => types.map((type) => [type, registry.matching(type).map(({ name }) => name)]);
    const map = [
      ['payment.processed', ['Shop.any', 'Shop.paid']],
      ['payment', ['Shop.any']],
      ['refund.made', ['Shop.refunded']],
      ['else', []],
    ];
    expect([read(), read()]).toEqual([map, map]);
  });

  it('a class needs no decorator of its own', async () => {
    class Plain {
      @OnEvent('payment.processed')
      handle() {
        return this.constructor.name;
      }
    }
    const shop = await exploreApp({ providers: [Plain] });
    expect(await deliver(shop, 'Plain.handle')).toBe('Plain');
  });

  it('finds handlers on instances from useFactory, useValue and useClass, also when a proxy stands before them', async () => {
    class Made {
      constructor(private readonly by: string) {}
      @OnEvent('payment.processed')
      handle() {
        return this.by;
      }
    }
    class Given extends Made {}
    class Classed {
      @OnEvent('payment.processed')
      handle() {
        return 'class';
      }
    }
    class Proxied extends Made {}
    const shop = await exploreApp({
      providers: [
        { provide: 'made', useFactory: async () => Promise.resolve(new Made('factory')) },
        { provide: 'given', useValue: new Given('value') },
        { provide: 'classed', useClass: Classed },
        { provide: 'proxied', useValue: new Proxy(new Proxied('proxy'), {}) },
        ...[undefined, null, 0, 'text', () => 1, Object.create(null)].map((useValue: unknown, i) => ({
          provide: `odd${i}`,
          useValue,
        })),
      ],
    });
    const answers = shop.names.map(async (name) => [name, await deliver(shop, name)]);
    expect(await Promise.all(answers)).toEqual([
      ['Made.handle', 'factory'],
      ['Given.handle', 'value'],
      ['Classed.handle', 'class'],
      ['Proxied.handle', 'proxy'],
    ]);
  });

  it('one instance under several tokens has its handlers once', async () => {
    class Shared {
      @OnEvent('payment.processed')
      handle() {}
    }
    const instance = new Shared();
    const { names } = await exploreApp({
      providers: [
        { provide: 'one', useValue: instance },
        { provide: 'two', useValue: instance },
        { provide: 'three', useFactory: (one: Shared) => one, inject: ['one'] },
        { provide: 'four', useExisting: 'one' },
      ],
    });
    expect(names).toEqual(['Shared.handle']);
  });

  it('an alias of a request-scoped provider is no second handler', async () => {
    abstract class Handler {
      @OnEvent('payment.processed')
      handle() {}
    }
    @Injectable({ scope: Scope.REQUEST })
    class Scoped extends Handler {}
    const { names } = await exploreApp({ providers: [Scoped, { provide: Handler, useExisting: Scoped }] });
    expect(names).toEqual(['Scoped.handle']);
  });

  it('a spy put on the instance after boot is what runs', async () => {
    class Spied {
      @OnEvent('payment.processed')
      handle() {
        return 'real';
      }
    }
    const shop = await exploreApp({ providers: [Spied] });
    vi.spyOn(shop.app.get(Spied, { strict: false }), 'handle').mockReturnValue('spy');
    expect(await deliver(shop, 'Spied.handle')).toBe('spy');
  });

  it('decorators that wrap the method do not hide it, wherever they stand', async () => {
    const Doubled: MethodDecorator = (_target, _key, descriptor: PropertyDescriptor) => {
      const inner = descriptor.value as () => number;
      descriptor.value = function (this: unknown) {
        return inner.call(this) * 2;
      };
    };
    class Wrapped {
      @Doubled
      @OnEvent('payment.processed')
      above() {
        return 1;
      }
      @OnEvent('payment.processed')
      @Doubled
      below() {
        return 2;
      }
    }
    const shop = await exploreApp({ providers: [Wrapped] });
    expect([await deliver(shop, 'Wrapped.above'), await deliver(shop, 'Wrapped.below')]).toEqual([2, 4]);
  });
});

describe('stacked decorators', () => {
  it('make one handler: events add up in reading order, each once, options come from the one that has them', async () => {
    const Refunded = defineEvent<Paid>({ type: 'refund.made' });
    class Stacked {
      @OnEvent('a.b')
      @OnEvent([PaidEvent, 'c.*'], { concurrency: 3 })
      @OnEvent(PaidEvent)
      @OnEvent([Refunded, 'a.b'])
      handle() {}
    }
    const { definitions } = await exploreApp({ providers: [Stacked] });
    expect(
      definitions.map(({ name, patterns, definitions, options }) => ({
        name,
        patterns,
        definitions: [...definitions.values()],
        concurrency: options.concurrency,
      })),
    ).toEqual([
      {
        name: 'Stacked.handle',
        patterns: ['a.b', 'payment.processed', 'c.*', 'refund.made'],
        definitions: [PaidEvent, Refunded],
        concurrency: 3,
      },
    ]);
  });

  it('module defaults stand under the options of each handler', async () => {
    class Shop {
      @OnEvent('a', { retry: { maxAttempts: 2 } })
      one() {}
      @OnEvent('a')
      two() {}
    }
    const defaults: OnEventOptions = { timeout: '5s', retry: { maxAttempts: 9, jitter: 'none' } };
    const { definitions } = await exploreApp({ providers: [Shop], defaults });
    expect(
      definitions.map(({ options: { timeoutMs, retry } }) => [timeoutMs, retry.maxAttempts, retry.jitter]),
    ).toEqual([
      [5000, 2, 'none'],
      [5000, 9, 'none'],
    ]);
  });
});
