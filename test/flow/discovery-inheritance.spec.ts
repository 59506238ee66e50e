/** What a subclass makes of the handlers it inherits. */
import { describe, expect, it } from 'vitest';
import { OnEvent } from 'nestjs-durable-events';
import { deliver, exploreApp } from '../support/explored-app.js';

describe('inheritance', () => {
  class Base {
    @OnEvent('base.event')
    inherited() {
      return `inherited by ${this.constructor.name}`;
    }
    @OnEvent('base.event')
    replaced(): string {
      return 'base';
    }
    @OnEvent('base.event')
    silenced(): string {
      return 'base';
    }
  }
  class Sub extends Base {
    @OnEvent('sub.event')
    override replaced() {
      return 'sub';
    }
    override silenced() {
      return 'sub';
    }
  }
  const shape = (definitions: readonly { name: string; patterns: readonly string[] }[]) =>
    definitions.map(({ name, patterns }) => `${name} <- ${patterns.join(' ')}`);

  it('a subclass has the handlers it inherits under its own name, its own decorators replace, undecorated ones are warned of', async () => {
    const shop = await exploreApp({ providers: [Sub] });
    expect(shape(shop.definitions).toSorted()).toEqual(['Sub.inherited <- base.event', 'Sub.replaced <- sub.event']);
    expect(shop.warnings).toEqual([
      'Sub.silenced overrides Base.silenced, which is decorated with @OnEvent, but has no decorator of its own: it handles no events',
    ]);
    expect(await deliver(shop, 'Sub.inherited')).toBe('inherited by Sub');
    expect(await deliver(shop, 'Sub.replaced')).toBe('sub');
  });

  it('the base class is left as it was', async () => {
    const { definitions, warnings } = await exploreApp({ providers: [Base] });
    expect(shape(definitions)).toEqual([
      'Base.inherited <- base.event',
      'Base.replaced <- base.event',
      'Base.silenced <- base.event',
    ]);
    expect(warnings).toEqual([]);
  });

  it('base and subclass can both be providers', async () => {
    const { names } = await exploreApp({ providers: [Base, Sub] });
    expect(names).toHaveLength(5);
  });
});
