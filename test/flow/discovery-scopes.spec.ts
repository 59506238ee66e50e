/** On which instance a delivery runs its handler: shared, request-scoped, transient, durable. */
import { Controller, Inject, Injectable, Module, Scope } from '@nestjs/common';
import { type ContextId, ContextIdFactory, type ContextIdStrategy, REQUEST } from '@nestjs/core';
import { afterEach, describe, expect, it } from 'vitest';
import { EventMessage, Invocation, OnEvent } from 'nestjs-durable-events';
import { deliver, exploreApp } from '../support/explored-app.js';

interface Paid {
  amount: number;
}

@Injectable()
class Prices {
  readonly factor = 2;
}

describe('scopes', () => {
  let made = 0;
  class Numbered {
    readonly number = ++made;
  }

  it('a request-scoped class is made for each delivery, with its dependencies, and REQUEST is the invocation', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Scoped extends Numbered {
      constructor(
        @Inject(REQUEST) private readonly invocation: Invocation,
        private readonly prices: Prices,
      ) {
        super();
      }
      @OnEvent('payment.processed')
      handle(event: EventMessage<Paid>) {
        const { invocation, prices, number } = this;
        return { number, same: invocation.event === event, by: invocation.handler.name, price: prices.factor };
      }
    }
    made = 0;
    const shop = await exploreApp({ providers: [Prices, Scoped] });
    const answer = { same: true, by: 'Scoped.handle', price: 2 };
    expect([await deliver(shop, 'Scoped.handle'), await deliver(shop, 'Scoped.handle')]).toEqual([
      { number: 1, ...answer },
      { number: 2, ...answer },
    ]);
  });

  it('a class or controller becomes request-scoped by what it depends on', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Tenant {
      constructor(@Inject(REQUEST) private readonly invocation: Invocation) {}
      get name() {
        return this.invocation.event.headers.tenant;
      }
    }
    @Injectable()
    class ByDependency {
      constructor(private readonly tenant: Tenant) {}
      @OnEvent('payment.processed')
      handle() {
        return this.tenant.name;
      }
    }
    @Controller()
    class ScopedController {
      constructor(private readonly tenant: Tenant) {}
      @OnEvent('payment.processed')
      handle() {
        return this.tenant.name;
      }
    }
    const shop = await exploreApp({ providers: [Tenant, ByDependency], controllers: [ScopedController] });
    const both = await Promise.all([
      deliver(shop, 'ByDependency.handle', { tenant: 'a' }),
      deliver(shop, 'ScopedController.handle', { tenant: 'b' }),
    ]);
    expect(both).toEqual(['a', 'b']);
  });

  it('a transient class is made anew for each delivery', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient extends Numbered {
      constructor(private readonly prices: Prices) {
        super();
      }
      @OnEvent('payment.processed')
      handle() {
        return [this.number, this.prices.factor];
      }
    }
    made = 0;
    const shop = await exploreApp({ providers: [Prices, Transient] });
    expect([await deliver(shop, 'Transient.handle'), await deliver(shop, 'Transient.handle')]).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });

  it('a request-scoped factory is found when its token is the class', async () => {
    class Made extends Numbered {
      @OnEvent('payment.processed')
      handle() {
        return this.number;
      }
    }
    made = 0;
    const shop = await exploreApp({
      providers: [{ provide: Made, useFactory: () => new Made(), scope: Scope.REQUEST }],
    });
    expect([await deliver(shop, 'Made.handle'), await deliver(shop, 'Made.handle')]).toEqual([1, 2]);
  });

  it('a scoped class is resolved by the module that provides it, whatever others provide under the same token', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class InShop {
      @OnEvent('payment.processed')
      handle() {
        return 'shop';
      }
    }
    @Injectable({ scope: Scope.REQUEST })
    class InStock {
      @OnEvent('payment.processed')
      handle() {
        return 'stock';
      }
    }
    @Module({ providers: [{ provide: 'handlers', useClass: InStock }] })
    class StockModule {}
    const shop = await exploreApp({ providers: [{ provide: 'handlers', useClass: InShop }], imports: [StockModule] });
    expect([await deliver(shop, 'InShop.handle'), await deliver(shop, 'InStock.handle')]).toEqual(['shop', 'stock']);
  });

  describe('durable', () => {
    /** One context for each tenant that the event's headers name. */
    class ByTenant implements ContextIdStrategy<Invocation> {
      private readonly tenants = new Map<string, ContextId>();

      attach(contextId: ContextId, { event }: Invocation) {
        const { tenant } = event.headers;
        const parent = this.tenants.get(tenant) ?? ContextIdFactory.create();
        this.tenants.set(tenant, parent);
        return {
          resolve: ({ isTreeDurable }: { isTreeDurable: boolean }) => (isTreeDurable ? parent : contextId),
          payload: { tenant },
        };
      }
    }

    // The strategy is static in Nest: without a reset it would serve the tests that follow.
    afterEach(() => ContextIdFactory.apply(undefined as unknown as ContextIdStrategy));

    it('a durable class is made once for each context that the strategy knows, with the payload of that context', async () => {
      ContextIdFactory.apply(new ByTenant());
      @Injectable({ scope: Scope.REQUEST, durable: true })
      class Durable extends Numbered {
        constructor(@Inject(REQUEST) private readonly context: { tenant: string }) {
          super();
        }
        @OnEvent('payment.processed')
        handle() {
          return `${this.context.tenant} ${this.number}`;
        }
      }
      made = 0;
      const shop = await exploreApp({ providers: [Durable] });
      const answers: unknown[] = [];
      for (const tenant of ['a', 'b', 'a', 'a', 'b']) {
        answers.push(await deliver(shop, 'Durable.handle', { tenant }));
      }
      expect(answers).toEqual(['a 1', 'b 2', 'a 1', 'a 1', 'b 2']);
    });

    it('where the strategy gives no payload, a durable instance does not keep the invocation it was first made for', async () => {
      const parent = ContextIdFactory.create();
      ContextIdFactory.apply({ attach: (contextId) => (info) => (info?.isTreeDurable ? parent : contextId) });
      @Injectable({ scope: Scope.REQUEST, durable: true })
      class Durable {
        constructor(@Inject(REQUEST) private readonly request: unknown) {}
        @OnEvent('payment.processed')
        handle() {
          return this.request;
        }
      }
      const shop = await exploreApp({ providers: [Durable] });
      expect([await deliver(shop, 'Durable.handle'), await deliver(shop, 'Durable.handle')]).toEqual([
        undefined,
        undefined,
      ]);
    });

    it('a class that is not durable stays request-scoped beside the strategy, and REQUEST the invocation', async () => {
      ContextIdFactory.apply(new ByTenant());
      @Injectable({ scope: Scope.REQUEST })
      class Scoped extends Numbered {
        constructor(@Inject(REQUEST) private readonly invocation: Invocation) {
          super();
        }
        @OnEvent('payment.processed')
        handle() {
          return `${this.invocation.event.headers.tenant} ${this.number}`;
        }
      }
      made = 0;
      const shop = await exploreApp({ providers: [Scoped] });
      const answers: unknown[] = [];
      for (const tenant of ['a', 'a', 'b']) answers.push(await deliver(shop, 'Scoped.handle', { tenant }));
      expect(answers).toEqual(['a 1', 'a 2', 'b 3']);
    });

    it('without a strategy it is request-scoped, and REQUEST the invocation', async () => {
      @Injectable({ scope: Scope.REQUEST, durable: true })
      class Durable extends Numbered {
        constructor(@Inject(REQUEST) private readonly invocation: Invocation) {
          super();
        }
        @OnEvent('payment.processed')
        handle() {
          return `${this.invocation.event.id} ${this.number}`;
        }
      }
      made = 0;
      const shop = await exploreApp({ providers: [Durable] });
      expect([await deliver(shop, 'Durable.handle'), await deliver(shop, 'Durable.handle')]).toEqual(['e1 1', 'e1 2']);
    });
  });
});
