import 'reflect-metadata';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataSource, type DataSourceOptions } from 'typeorm';
import {
  DeliveryContext,
  EventMessage,
  EventPublisher,
  EventsModule,
  EventsNode,
  EventsStats,
  OnEvent,
  type EventsModuleOptions,
  type OnEventOptions,
} from '../../libs/events/src/index.js';

/**
 * One node in a process of its own, steered over IPC. It runs `work.done` events: writes a row into `runs` when an
 * attempt begins, works for `handlerMs`, and writes a row into `effects` through `context.transaction` if `effects`.
 */
export interface WorkerConfig {
  readonly dataSource: DataSourceOptions;
  readonly events?: Omit<EventsModuleOptions, 'dataSource'>;
  readonly handler?: OnEventOptions;
  readonly handlerMs?: number;
  readonly effects?: boolean;
  /** False: no rows in `runs`; the handler does nothing at all. */
  readonly record?: boolean;
  /** Events are published under so many ordering keys in turn. */
  readonly lanes?: number;
  /** The first attempts of these events never end: they wait for the death of their process. */
  readonly waitForDeath?: readonly number[];
  /** Claims nothing. */
  readonly paused?: boolean;
  /** What the handler does when its signal aborts: end at once (default) or go on. */
  readonly ignoreSignal?: boolean;
}

export type WorkerCommand =
  | { readonly kind: 'publish'; readonly from: number; readonly to: number }
  | { readonly kind: 'stats' }
  | { readonly kind: 'close' };

export type WorkerMessage =
  | { readonly kind: 'ready'; readonly node: string }
  | { readonly kind: 'published' }
  | { readonly kind: 'stats'; readonly stats: ReturnType<EventsStats['snapshot']>; readonly rssMb: number }
  | { readonly kind: 'closed' };

const config = JSON.parse(process.argv[2] ?? '{}') as WorkerConfig;
const { handlerMs = 0, ignoreSignal = false, waitForDeath = [] } = config;
const dataSource = new DataSource(config.dataSource);
const placeholders = config.dataSource.type === 'postgres' ? ['$1', '$2', '$3'] : ['?', '?', '?'];

@Injectable()
class Work {
  @OnEvent('work.done', { name: 'work', ...config.handler })
  async run(event: EventMessage<{ n: number }>, context: DeliveryContext): Promise<void> {
    if (config.record === false) return;
    const { n } = event.payload;
    await dataSource.query(`insert into runs (n, pid, attempt) values (${placeholders.join(', ')})`, [
      n,
      process.pid,
      context.attempt,
    ]);
    if (context.attempt === 1 && waitForDeath.includes(n)) await once(context.signal, 'abort');
    if (handlerMs > 0) await sleep(handlerMs, undefined, ignoreSignal ? {} : { signal: context.signal });
    if (config.effects) {
      await context.transaction(async (manager) => {
        await manager.query(`insert into effects (n, pid) values (${placeholders.slice(0, 2).join(', ')})`, [
          n,
          process.pid,
        ]);
      });
    }
  }
}

@Module({ imports: [EventsModule.forRoot({ ...config.events, dataSource })], providers: [Work as Type] })
class WorkerModule {}

function send(message: WorkerMessage): void {
  process.send?.(message);
}

async function publish(publisher: EventPublisher, from: number, to: number): Promise<void> {
  for (let start = from; start < to; start += 500) {
    const count = Math.min(500, to - start);
    await publisher.publishAll(
      Array.from({ length: count }, (_, i) => ({
        event: 'work.done',
        payload: { n: start + i },
        ...(config.lanes !== undefined && { orderingKey: `lane-${(start + i) % config.lanes}` }),
      })),
    );
  }
}

async function main(): Promise<void> {
  await dataSource.initialize();
  const app = await NestFactory.createApplicationContext(WorkerModule, { logger: ['warn', 'error'] });
  app.enableShutdownHooks();
  if (config.paused) await app.get(EventsNode).pause();
  process.on('message', (command: WorkerCommand) => {
    void (async () => {
      if (command.kind === 'publish') {
        await publish(app.get(EventPublisher), command.from, command.to);
        send({ kind: 'published' });
      } else if (command.kind === 'stats') {
        send({ kind: 'stats', stats: app.get(EventsStats).snapshot(), rssMb: process.memoryUsage.rss() / 2 ** 20 });
      } else {
        await app.close();
        await dataSource.destroy();
        send({ kind: 'closed' });
        process.disconnect();
      }
    })();
  });
  // The parent's end must not keep this process alive after SIGTERM.
  process.channel?.unref();
  send({ kind: 'ready', node: app.get(EventsNode).id });
}

await main();
