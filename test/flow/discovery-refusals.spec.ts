/** What boot refuses, naming class and method, and what it only warns of. */
import {
  Catch,
  Controller,
  Injectable,
  mixin,
  Module,
  Scope,
  SetMetadata,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { defineEvent, DuplicateHandlerError, EventsError, OnEvent } from 'nestjs-durable-events';
import { exploreApp, type Parts } from '../support/explored-app.js';

async function refusal(parts: Parts): Promise<{ code: string; message: string }> {
  const error: unknown = await exploreApp(parts).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof EventsError)) throw new Error('was not refused by an EventsError', { cause: error });
  return { code: error.code, message: error.message };
}

/** A class named `Shop` whose method `handle` is decorated with these. */
function shopWith(...decorators: MethodDecorator[]) {
  class Shop {
    handle() {}
  }
  const descriptor = Object.getOwnPropertyDescriptor(Shop.prototype, 'handle');
  for (const decorate of decorators) decorate(Shop.prototype, 'handle', descriptor as PropertyDescriptor);
  return Shop;
}

/** As a caller without types would write it. */
const untyped = OnEvent as unknown as (event?: unknown, options?: unknown) => MethodDecorator;

describe('duplicate names', () => {
  it('are refused, naming both places', async () => {
    class One {
      @OnEvent('a', { name: 'same' })
      first() {}
    }
    class Two {
      @OnEvent('a', { name: 'same' })
      second() {}
    }
    const error: unknown = await exploreApp({ providers: [One, Two] }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(DuplicateHandlerError);
    expect(error).toMatchObject({
      code: 'EVENTS_DUPLICATE_HANDLER',
      handler: 'same',
      sources: ['One.first in ShopModule', 'Two.second in ShopModule'],
    });
  });

  it('a class that two modules provide would handle everything twice: refused, naming both modules', async () => {
    const Shop = shopWith(untyped('a'));
    @Module({ providers: [Shop] })
    class StockModule {}
    const { message } = await refusal({ providers: [Shop], imports: [StockModule] });
    expect(message).toBe(
      'two handlers are named Shop.handle: Shop.handle in ShopModule and Shop.handle in StockModule; give one of them ' +
        'another `name`, provide the class once and export it, or alias it with useExisting',
    );
  });

  it('so would a request-scoped class under two tokens', async () => {
    const Shop = shopWith(untyped('a'));
    Injectable({ scope: Scope.REQUEST })(Shop);
    expect((await refusal({ providers: [Shop, { provide: 'again', useClass: Shop }] })).code).toBe(
      'EVENTS_DUPLICATE_HANDLER',
    );
  });
});

describe('events', () => {
  const twin = () => defineEvent({ type: 'a.b' });
  it.each([
    ['no event at all', [untyped()], 'its event is undefined (is there an import cycle with its definition?)'],
    ['an empty list', [untyped([])], 'its list of events is empty'],
    [
      'undefined in a list',
      [untyped(['a', undefined])],
      'its event is undefined (is there an import cycle with its definition?)',
    ],
    ['an empty text', [untyped('')], "event pattern '' must not be empty"],
    [
      'a half wildcard',
      [untyped('payment.pro*')],
      "event pattern 'payment.pro*' has the segment 'pro*': a '*' or '**' must stand alone between dots",
    ],
    [
      'an empty segment',
      [untyped('payment..done')],
      "event pattern 'payment..done' has an empty segment: 'payment..done'",
    ],
    ['a number', [untyped(7)], 'its event is neither a text nor made by defineEvent()'],
    ['null', [untyped(null)], 'its event is neither a text nor made by defineEvent()'],
    [
      'a home-made definition',
      [untyped({ type: 'a.*' })],
      "the type of its event must be one event type without wildcards ('*'), but is 'a.*'",
    ],
    ['two definitions of one type', [untyped(twin()), untyped(twin())], 'it is given two different definitions of a.b'],
    [
      'options on two decorators',
      [untyped('a', { priority: 1 }), untyped('b', { priority: 1 })],
      'its decorators make one handler, so only one of them can have options',
    ],
  ])('%s is refused', async (_, decorators, problem) => {
    expect(await refusal({ providers: [shopWith(...decorators)] })).toEqual({
      code: 'EVENTS_INVALID_HANDLER',
      message: `@OnEvent on Shop.handle: ${problem}`,
    });
  });
});

describe('options', () => {
  it.each([
    ['unknown', { prioritty: 1 }, '"prioritty" must be left out: it is unknown (did you mean "priority"?), but is 1'],
    ['maxAttempts 0', { retry: { maxAttempts: 0 } }, '"retry.maxAttempts" must be a whole number from 1 up, but is 0'],
    ['an empty name', { name: '' }, `"name" must be a text of 1 to 255 characters without NUL, but is ''`],
    ['null', null, '"options" must be an object, but is null'],
  ])('%s is refused', async (_, options, problem) => {
    expect(await refusal({ providers: [shopWith(untyped('a', options))] })).toEqual({
      code: 'EVENTS_INVALID_OPTION',
      message: `@OnEvent on Shop.handle: option ${problem}`,
    });
  });

  it('module defaults are checked even when there is no handler', async () => {
    expect(await refusal({ defaults: { priority: 101 } })).toEqual({
      code: 'EVENTS_INVALID_OPTION',
      message: 'EventsModule.forRoot(): option "defaults.priority" must be a whole number from 0 to 100, but is 101',
    });
  });
});

describe('what is no method of an instance', () => {
  it('a static method is refused, also an inherited one', async () => {
    class Base {
      @OnEvent('a')
      static handle() {}
    }
    class Shop extends Base {}
    expect(await refusal({ providers: [Shop] })).toEqual({
      code: 'EVENTS_INVALID_HANDLER',
      message: '@OnEvent on Base.handle: it is static, and only methods of instances can be handlers',
    });
  });

  it('an accessor is refused', async () => {
    class Shop {
      @OnEvent('a')
      get handle() {
        return () => undefined;
      }
    }
    expect((await refusal({ providers: [Shop] })).message).toBe('@OnEvent on Shop.handle: it is no method');
  });

  it('a field is refused', async () => {
    class Shop {
      @(untyped('a') as PropertyDecorator)
      handle = () => undefined;
    }
    expect((await refusal({ providers: [Shop] })).message).toBe('@OnEvent on Shop.handle: it is no method');
  });

  it('a method named by a symbol is refused', async () => {
    const handle = Symbol('handle');
    class Shop {
      @OnEvent('a')
      [handle]() {}
    }
    expect((await refusal({ providers: [Shop] })).message).toBe(
      '@OnEvent on Shop.Symbol(handle): it is named by a symbol, but a handler needs a name that lasts',
    );
  });
});

describe('classes whose name does not last', () => {
  it('mixins need the option `name`', async () => {
    const make = (name?: string) => mixin(shopWith(untyped('a', name === undefined ? undefined : { name })));
    expect((await refusal({ providers: [make()] })).message).toMatch(
      /^@OnEvent on [0-9a-f]{21}\.handle: its class has no lasting name, so the option "name" is needed$/,
    );
    expect((await exploreApp({ providers: [make('lasting')] })).names).toEqual(['lasting']);
  });

  it('so do anonymous classes', async () => {
    const Anonymous = shopWith(untyped('a'));
    Object.defineProperty(Anonymous, 'name', { value: '' });
    expect((await refusal({ providers: [{ provide: 'x', useClass: Anonymous }] })).message).toBe(
      '@OnEvent on .handle: its class has no lasting name, so the option "name" is needed',
    );
  });
});

describe('warnings', () => {
  class Guard {
    canActivate() {
      return true;
    }
  }
  class Pipe {
    transform() {}
  }
  class Interceptor {
    intercept() {}
  }
  @Catch()
  class Filter {
    catch() {}
  }

  it('enhancers on a handler or its class do not run; of a controller only those on the method count', async () => {
    @Injectable()
    @UseGuards(Guard)
    class Guarded {
      @OnEvent('a')
      @UsePipes(Pipe)
      @UseInterceptors(Interceptor as never)
      @UseFilters(Filter)
      handle() {}
    }
    @Controller()
    @UseGuards(Guard)
    class Routes {
      @OnEvent('a')
      free() {}
      @OnEvent('a')
      @UseGuards(Guard)
      guarded() {}
      @UseGuards(Guard)
      route() {}
    }
    const { warnings } = await exploreApp({ providers: [Guarded], controllers: [Routes] });
    expect(warnings).toEqual([
      'Guarded.handle has guards, interceptors, pipes, exception filters: they do not run when it handles an event',
      'Routes.guarded has guards: they do not run when it handles an event',
    ]);
  });

  it('@OnEvent of @nestjs/event-emitter is told from ours', async () => {
    class Mixed {
      // What that package writes; this workspace does not install it.
      @SetMetadata('EVENT_LISTENER_METADATA', [{ event: 'a', options: undefined }])
      handle() {}
    }
    const { names, warnings } = await exploreApp({ providers: [Mixed, { provide: 'same', useExisting: Mixed }] });
    expect({ names, warnings }).toEqual({
      names: [],
      warnings: [
        'Mixed.handle is decorated with @OnEvent of @nestjs/event-emitter: durable events do not reach it; ' +
          'import OnEvent from nestjs-durable-events if it should handle them',
      ],
    });
  });
});
