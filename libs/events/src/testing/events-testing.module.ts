import type { DynamicModule, InjectionToken, Provider } from '@nestjs/common';
import { Clock } from '../clock/clock.js';
import { EventsModule } from '../events.module.js';
import type { EventsModuleOptions } from '../events.options.interface.js';
import { eventStoreProvider } from '../store.provider.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { EventsTestKit } from './events-test-kit.js';
import { EventFaults } from './faults/event-faults.js';
import { FaultyHandlers } from './faults/faulty-handlers.js';
import { faultyStore } from './faults/faulty-store.js';
import { TestWorld } from './test-world.js';

/** The module's options, but for where events are stored. */
export interface EventsTestingOptions extends Omit<EventsModuleOptions, 'store' | 'dataSource'> {
  isGlobal?: boolean;
  /** Where the clock stands at first. Default 2026-01-01T00:00:00Z. */
  startAt?: Date | number;
  /** Another node of the same cluster: its data and its clock are this one's too. */
  joins?: EventsTestKit;
}

/** `EventsModule` for tests, in its place. */
export class EventsTestingModule {
  /**
   * The module on an in-memory store whose time stands still until the test moves it. Get `EventsTestKit` from it for
   * everything else.
   */
  static forRoot({ startAt, joins, ...options }: EventsTestingOptions = {}): DynamicModule {
    return withFaults({ ...options, store: 'memory' }, [
      { provide: TestWorld, useFactory: () => joins?.world ?? new TestWorld(startAt) },
      { provide: Clock, useFactory: ({ clock }: TestWorld) => clock, inject: [TestWorld] },
      {
        provide: EVENT_STORE,
        useFactory: ({ clock, database }: TestWorld, faults: EventFaults) =>
          faultyStore(new MemoryStore(clock, database), faults),
        inject: [TestWorld, EventFaults],
      },
      EventsTestKit,
    ]);
  }

  /** The module as it is in production, on a database and on real time, but that `EventFaults` can strike. */
  static onDatabase(options: Omit<EventsModuleOptions, 'store'> & { isGlobal?: boolean } = {}): DynamicModule {
    const { inject = [] } = eventStoreProvider;
    return withFaults(options, [
      {
        provide: EVENT_STORE,
        useFactory: async (faults: EventFaults, ...given: unknown[]): Promise<EventStore> =>
          faultyStore(await eventStoreProvider.useFactory(...given), faults),
        inject: [EventFaults, ...inject],
      },
    ]);
  }
}

/** A dynamic module's providers come after those of its class, and win over them. */
function withFaults(options: EventsModuleOptions, parts: Provider[]): DynamicModule {
  const middleware = [...(options.middleware ?? []), FaultyHandlers];
  const { providers = [], exports = [], ...definition } = EventsModule.forRoot({ ...options, middleware });
  const offered: InjectionToken[] = parts.includes(EventsTestKit) ? [EventsTestKit, EventFaults] : [EventFaults];
  return {
    ...definition,
    providers: [...providers, EventFaults, FaultyHandlers, ...parts],
    exports: [...exports, ...offered],
  };
}
