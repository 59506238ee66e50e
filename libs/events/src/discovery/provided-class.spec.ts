/** Scope: finding the provider of a class that an option names, and making its instances, in a Nest application. */
import { Inject, Injectable, Module, type Provider, Scope, type Type } from '@nestjs/common';
import { ModuleRef, REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { newAttempt, newHandler } from '../invoke/attempt.fixture.js';
import type { Invocation } from '../invoke/invocation.js';
import { InvalidOptionError } from '../errors/invalid-option.error.js';
import { contextIdOf } from './invocation-context.js';
import { findProvided } from './provided-class.js';

/** What an option asks for. */
interface Tool {
  use(): unknown;
}

/** An application whose feature module provides these; the search begins in another module. */
async function setUp(...providers: Provider[]) {
  @Module({ providers })
  class FeatureModule {}
  const app = await Test.createTestingModule({ imports: [FeatureModule] }).compile();
  onTestFinished(() => app.close());
  const modules = app.get(ModuleRef);
  return { modules, find: (type: Type<Tool>) => findProvided(modules, 'tools', type, 'use') };
}

const newInvocation = () => newAttempt(newHandler());

describe('a provided class', () => {
  it('has one instance for all attempts', async () => {
    @Injectable()
    class Shared implements Tool {
      use() {}
    }
    const { modules, find } = await setUp(Shared);
    const found = find(Shared);
    const instance = modules.get(Shared, { strict: false });
    expect([found.type, found.get(newInvocation()), found.get(newInvocation())]).toEqual([Shared, instance, instance]);
    expect(found.get(newInvocation())).toBe(instance);
  });

  it('may be provided by a value, a factory or as another name of a provider', async () => {
    class Real implements Tool {
      use() {}
    }
    abstract class ByValue extends Real {}
    abstract class ByFactory extends Real {}
    abstract class ByAlias extends Real {}
    const value = new Real();
    const { find } = await setUp(
      { provide: ByValue, useValue: value },
      { provide: ByFactory, useFactory: async () => value },
      { provide: ByAlias, useExisting: ByValue },
    );
    for (const type of [ByValue, ByFactory, ByAlias]) {
      expect(find(type as unknown as Type<Tool>).get(newInvocation())).toBe(value);
    }
  });

  it('that is request-scoped has one instance for each attempt, whose REQUEST is the invocation', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Scoped implements Tool {
      constructor(@Inject(REQUEST) readonly request: Invocation) {}
      use() {}
    }
    const { modules, find } = await setUp(Scoped);
    const found = find(Scoped);
    const [one, two] = [newInvocation(), newInvocation()];
    const instances = [await found.get(one), await found.get(two), await found.get(one)] as Scoped[];
    expect(instances[0].request).toBe(one);
    expect(instances[1].request).toBe(two);
    expect(instances[2]).toBe(instances[0]);
    // The handler's own request-scoped providers are those of the same context.
    expect(await modules.resolve(Scoped, contextIdOf(one), { strict: false })).toBe(instances[0]);
  });

  it('that depends on a request-scoped provider is one of each attempt too', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Tenant {
      constructor(@Inject(REQUEST) readonly request: Invocation) {}
    }
    @Injectable()
    class ByTenant implements Tool {
      constructor(readonly tenant: Tenant) {}
      use() {}
    }
    const { find } = await setUp(Tenant, ByTenant);
    const invocation = newInvocation();
    const instance = (await find(ByTenant).get(invocation)) as ByTenant;
    expect(instance.tenant.request).toBe(invocation);
    expect(await find(ByTenant).get(newInvocation())).not.toBe(instance);
  });

  it('that is transient is made for each attempt', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient implements Tool {
      use() {}
    }
    const { find } = await setUp(Transient);
    const found = find(Transient);
    const [one, two] = [await found.get(newInvocation()), await found.get(newInvocation())];
    expect([one instanceof Transient, two instanceof Transient, one === two]).toEqual([true, true, false]);
  });
});

describe('what cannot be found', () => {
  const refused = async (type: Type<Tool>, ...providers: Provider[]): Promise<unknown> => {
    const { find } = await setUp(...providers);
    try {
      return find(type);
    } catch (error) {
      return error;
    }
  };

  it('is a class that no module provides', async () => {
    class Nowhere implements Tool {
      use() {}
    }
    const error = await refused(Nowhere);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error).toMatchObject({
      place: 'EventsModule.forRoot()',
      option: 'tools',
      value: Nowhere,
      message:
        'EventsModule.forRoot(): option "tools" must be the class of a provider of the application, but is [class Nowhere]',
    });
  });

  it('is a class without the method, or a provider that gives nothing', async () => {
    @Injectable()
    class Useless {}
    class Missing implements Tool {
      use() {}
    }
    const errors = [
      await refused(Useless as Type<Tool>, Useless),
      await refused(Missing, { provide: Missing, useValue: undefined }),
    ];
    expect(errors.map((error) => (error as Error).message)).toEqual([
      'EventsModule.forRoot(): option "tools" must be a class with a method use, but is [class Useless]',
      'EventsModule.forRoot(): option "tools" must be a class with a method use, but is [class Missing]',
    ]);
  });
});
