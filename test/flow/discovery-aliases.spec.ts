/** Former names of handlers: what boot makes of them, and which it refuses, naming both places. */
import { describe, expect, it } from 'vitest';
import { OnEvent, type OnEventOptions } from 'nestjs-durable-events';
import { exploreApp } from '../support/explored-app.js';

describe('aliases', () => {
  const shopOf = (first: OnEventOptions, second: OnEventOptions) => {
    class Shop {
      @OnEvent('a', first)
      one() {}
      @OnEvent('a', second)
      two() {}
    }
    return { providers: [Shop] };
  };

  it('are kept with the handler', async () => {
    const { definitions } = await exploreApp(shopOf({ aliases: ['old', 'Shop.first'] }, { aliases: ['older'] }));
    expect(definitions.map(({ name, options }) => [name, options.aliases])).toEqual([
      ['Shop.one', ['old', 'Shop.first']],
      ['Shop.two', ['older']],
    ]);
  });

  it.each<[string, OnEventOptions, OnEventOptions, string]>([
    [
      'the own name',
      { name: 'x', aliases: ['x'] },
      {},
      'Shop.one in ShopModule: option "aliases" must be former names only, not the name of Shop.one in ShopModule, but is \'x\'',
    ],
    [
      'the name of a handler that is found later',
      { aliases: ['Shop.two'] },
      {},
      'Shop.one in ShopModule: option "aliases" must be former names only, not the name of Shop.two in ShopModule, but is \'Shop.two\'',
    ],
    [
      'the name of a handler that is found before',
      {},
      { aliases: ['Shop.one'] },
      'Shop.two in ShopModule: option "aliases" must be former names only, not the name of Shop.one in ShopModule, but is \'Shop.one\'',
    ],
    [
      'an alias of another handler',
      { aliases: ['old'] },
      { aliases: ['older', 'old'] },
      'Shop.two in ShopModule: option "aliases" must be former names only, not an alias of Shop.one in ShopModule, but is \'old\'',
    ],
  ])('may not be %s', async (_, first, second, message) => {
    await expect(exploreApp(shopOf(first, second))).rejects.toMatchObject({ code: 'EVENTS_INVALID_OPTION', message });
  });
});
