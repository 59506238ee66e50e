import 'reflect-metadata';
import { Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  EventPublisher,
  EventsModule,
  EventsNode,
  EventsStats,
  OnEvent,
  type EventsModuleOptions,
  type OnEventOptions,
} from '../../libs/events/src/index.js';
import { Maintenance } from '../../libs/events/src/maintenance/maintenance.js';

export const PAYLOAD = { paymentId: 'p-0123456789', amount: 1234.56, currency: 'EUR', note: 'x'.repeat(30) };
export const BATCH = 500;

/** An application with handlers that do nothing but count. */
export interface BenchApp {
  readonly publisher: EventPublisher;
  readonly node: EventsNode;
  readonly stats: EventsStats;
  readonly maintenance: Maintenance;
  /** How often handlers have run. */
  runs: number;
  /** Called at each run. */
  onRun: () => void;
  close(): Promise<void>;
}

/** @param handlers how many, each of an event type of its own: `bench.0`, `bench.1` ... */
export async function benchApp(
  options: EventsModuleOptions,
  handlers = 1,
  handlerOptions: OnEventOptions = {},
): Promise<BenchApp> {
  const told = { runs: 0, onRun: () => {} };
  class Handlers {}
  for (let index = 0; index < handlers; index++) {
    const name = `handler-${index}`;
    const run = () => {
      told.runs++;
      told.onRun();
    };
    Object.defineProperty(Handlers.prototype, name, { value: run, configurable: true, writable: true });
    const descriptor = Object.getOwnPropertyDescriptor(Handlers.prototype, name);
    if (descriptor) OnEvent(`bench.${index}`, { name, ...handlerOptions })(Handlers.prototype, name, descriptor);
  }
  const app = await NestFactory.createApplicationContext(moduleOf(options, Handlers), { logger: ['warn', 'error'] });
  app.enableShutdownHooks();
  return Object.assign(told, {
    publisher: app.get(EventPublisher),
    node: app.get(EventsNode),
    stats: app.get(EventsStats),
    maintenance: app.get(Maintenance),
    close: () => app.close(),
  });
}

function moduleOf(options: EventsModuleOptions, handlers: Type): Type {
  class BenchModule {}
  Module({ imports: [EventsModule.forRoot(options)], providers: [handlers] })(BenchModule);
  return BenchModule;
}

/** Publishes so many events, to the handlers in turn. */
export async function publishMany({ publisher }: BenchApp, events: number, handlers = 1): Promise<void> {
  for (let done = 0; done < events; done += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, events - done) }, (_, index) => ({
      event: `bench.${(done + index) % handlers}`,
      payload: PAYLOAD,
    }));
    await publisher.publishAll(batch);
  }
}

/** Milliseconds that it takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

export function perSecond(times: number, ms: number): number {
  return Math.round(times / (ms / 1_000));
}

export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
