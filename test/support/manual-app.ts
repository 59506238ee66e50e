import type { LoggerService, Provider } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Clock, EventsModule, type EventsModuleOptions } from 'nestjs-durable-events';
import { ManualClock } from 'nestjs-durable-events/testing';
import { EVENT_STORE, type EventStore } from '../../libs/events/src/store/event-store.js';

/** An application on the in-memory store whose time stands still until it is told to move. */
export interface ManualApp {
  readonly app: TestingModule;
  readonly clock: ManualClock;
}

export type ManualAppOptions = Omit<EventsModuleOptions, 'store' | 'dataSource'>;

/** What an application may share with others. */
export interface ManualAppParts {
  /** Default: one of its own. */
  readonly clock?: ManualClock;
  /** Default: one of its own. */
  readonly store?: EventStore;
  /** Gets what is logged; Nest has one logger for all applications of a process. Default: nothing is logged. */
  readonly log?: LoggerService;
}

const opened: ManualApp[] = [];

export async function manualApp(
  handlers: Provider[],
  options: ManualAppOptions = {},
  { clock = new ManualClock(), store, log }: ManualAppParts = {},
): Promise<ManualApp> {
  const builder = Test.createTestingModule({
    imports: [EventsModule.forRoot({ store: 'memory', ...options })],
    providers: handlers,
  })
    .overrideProvider(Clock)
    .useValue(clock);
  if (store) builder.overrideProvider(EVENT_STORE).useValue(store);
  const app = await builder.compile();
  app.useLogger(log ?? false);
  await app.init();
  // The first turns look around; from here on everything happens because of a wake-up or of time.
  await clock.advance(0);
  opened.push({ app, clock });
  return { app, clock };
}

export async function closeManualApps(): Promise<void> {
  for (const { app, clock } of opened.splice(0)) {
    const closed = app.close();
    // Handlers that a failed test has left running are given up after the shutdown timeout.
    await clock.advance(60_000);
    await closed;
  }
}
