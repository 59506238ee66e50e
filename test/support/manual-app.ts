import type { Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Clock, EventsModule, type EventsModuleOptions } from 'nestjs-durable-events';
import { ManualClock } from 'nestjs-durable-events/testing';

/** An application on the in-memory store whose time stands still until it is told to move. */
export interface ManualApp {
  readonly app: TestingModule;
  readonly clock: ManualClock;
}

const opened: ManualApp[] = [];

export async function manualApp(
  handlers: Type[],
  options: Omit<EventsModuleOptions, 'store' | 'dataSource'> = {},
): Promise<ManualApp> {
  const clock = new ManualClock();
  const app = await Test.createTestingModule({
    imports: [EventsModule.forRoot({ store: 'memory', ...options })],
    providers: handlers,
  })
    .overrideProvider(Clock)
    .useValue(clock)
    .compile();
  app.useLogger(false);
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
