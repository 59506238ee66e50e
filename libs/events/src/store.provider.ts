import { type FactoryProvider, type InjectionToken } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { Clock } from './clock/clock.js';
import { InvalidOptionError } from './errors/invalid-option.error.js';
import { EVENTS_OPTIONS } from './events.module-definition.js';
import type { ResolvedEventsOptions } from './events.options.interface.js';
import { EventLifecycle } from './observability/event-lifecycle.js';
import { EventsLogger } from './observability/events-logger.js';
import { observedStore } from './observability/observed-store.js';
import { EVENT_STORE, type EventStore } from './store/event-store.js';
import { MemoryStore } from './store/memory/memory-store.js';
import { createTypeOrmStore } from './typeorm/create-store.js';

/** The store, opened and migrated before anybody can inject it: a publish in any `onModuleInit` works. */
export const eventStoreProvider: FactoryProvider<EventStore> = {
  provide: EVENT_STORE,
  // Injected where the application has a default DataSource; Nest waits until it is connected.
  inject: [EVENTS_OPTIONS, Clock, EventLifecycle, ModuleRef, { token: DataSource, optional: true }],
  async useFactory(
    options: ResolvedEventsOptions,
    clock: Clock,
    lifecycle: EventLifecycle,
    modules: ModuleRef,
    appDefault?: DataSource,
  ) {
    const { dataSource, store: kind } = options;
    const store =
      kind === 'memory'
        ? new MemoryStore(clock)
        : createTypeOrmStore(
            options,
            clock,
            dataSource === undefined ? undefined : await find(dataSource, modules),
            appDefault,
          );
    await store.open();
    const { description } = store;
    new EventsLogger('EventsModule').log(`events are stored in ${description}`, { database: description });
    return observedStore(store, lifecycle, clock);
  },
};

type GivenDataSource = NonNullable<ResolvedEventsOptions['dataSource']>;

/** The DataSource, or how to make one: as given, or by its injection token. */
function find(given: GivenDataSource, modules: ModuleRef): DataSource | DataSourceOptions | Promise<DataSource> {
  if (given instanceof DataSource) return given;
  return isConnectOptions(given) ? given : byToken(given, modules);
}

const LOOK_EVERY_MS = 10;
const LOOK_AT_MOST_MS = 30_000;

/** A DataSource that another module is still connecting has no instance yet: looked for until it has. */
async function byToken(token: InjectionToken<DataSource>, modules: ModuleRef): Promise<DataSource> {
  const deadline = performance.now() + LOOK_AT_MOST_MS;
  while (performance.now() < deadline) {
    const found = lookUp(token, modules);
    if (found instanceof DataSource) return found;
    if (found !== null && found !== undefined && !(found instanceof Promise)) break;
    await new Promise<void>((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  throw noDataSource(token);
}

function lookUp(token: InjectionToken<DataSource>, modules: ModuleRef): unknown {
  try {
    return modules.get(token, { strict: false });
  } catch {
    throw noDataSource(token);
  }
}

function noDataSource(token: InjectionToken<DataSource>): InvalidOptionError {
  return new InvalidOptionError(
    'EventsModule.forRoot()',
    'dataSource',
    token,
    'the injection token of a TypeORM DataSource',
  );
}

function isConnectOptions(given: Exclude<GivenDataSource, DataSource>): given is DataSourceOptions {
  return typeof given === 'object' && 'type' in given && typeof given.type === 'string';
}
