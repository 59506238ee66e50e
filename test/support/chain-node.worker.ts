import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type INestApplicationContext, Injectable, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataSource, type DataSourceOptions } from 'typeorm';
import {
  DeadLetters,
  defineEvent,
  DeliveryContext,
  EventHandlerRegistry,
  EventMessage,
  EventPublisher,
  EventsModule,
  EventsNode,
  EventsStats,
  Invocation,
  OnEvent,
  type DeadLetterFilter,
  type EventMiddleware,
  type EventsModuleOptions,
  type HandlerStats,
  type OnEventOptions,
} from '../../libs/events/src/index.js';
import type { CallMessage } from './called-process.js';
import { serveCalls } from './serve-calls.js';

/**
 * One node in a process of its own, for what the invoker chain shares between nodes. Handler `work` does what the row of
 * `control` says and writes into `runs` when it begins and when it ends, with what it sees of the cluster at that moment.
 * Handler `probe` only writes that it was there.
 */
export interface ChainNodeConfig {
  readonly dataSource: DataSourceOptions;
  readonly events?: Omit<EventsModuleOptions, 'dataSource'>;
  /** Options of `work`. */
  readonly handler?: OnEventOptions;
  /** What is claimed goes on to its rate limit, its key and its handler only when `control` says so. */
  readonly gated?: boolean;
}

export interface WorkPayload {
  readonly n: number;
  /** Idempotency key. */
  readonly key?: string;
  /** `work` writes a row into `effects` through `context.transaction`. */
  readonly effect?: boolean;
}

/** What a test may call in the node's process. */
export interface ChainNodeMethods {
  publish(payloads: readonly WorkPayload[]): Promise<void>;
  probe(): Promise<void>;
  stats(): Promise<HandlerStats | undefined>;
  /** This node claims nothing any more, or again. */
  pauseNode(): Promise<void>;
  resumeNode(): Promise<void>;
  /** The operator's levers for `work`. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  retire(): Promise<void>;
  redrive(filter: DeadLetterFilter): Promise<number>;
}

const config = JSON.parse(process.argv[2] ?? '{}') as ChainNodeConfig;
const dataSource = new DataSource(config.dataSource);

function query<T>(sql: string, values: unknown[] = []): Promise<T> {
  let index = 0;
  const bound = config.dataSource.type === 'postgres' ? sql.replaceAll('?', () => `$${++index}`) : sql;
  return dataSource.query<T>(bound, values);
}

const workDone = defineEvent<WorkPayload>({ type: 'work.done', idempotencyKey: ({ key }) => key });

@Injectable()
class Handlers {
  @OnEvent(workDone, { name: 'work', ...config.handler })
  async work(event: EventMessage<WorkPayload>, context: DeliveryContext): Promise<void> {
    const startedAt = Date.now();
    const { n, effect } = event.payload;
    const id = randomUUID();
    await query(
      `insert into runs (id, n, pid, attempt, started_at, rate_slot, nodes, circuit)
       values (?, ?, ?, ?, ?, (select rate_slot from event_delivery where id = ?),
               (select count(*) from event_node), (select circuit_state from event_handler where name = 'work'))`,
      [id, n, process.pid, context.attempt, startedAt, context.deliveryId],
    );
    let ok = false;
    try {
      const [control] = await query<{ down: number; work_ms: number }[]>('select down, work_ms from control');
      if (control.work_ms > 0) await sleep(control.work_ms, undefined, { signal: context.signal });
      if (control.down === 1) throw new Error('down');
      if (effect) {
        await context.transaction(async (manager) => {
          await manager.query(`insert into effects (n, pid) values (${n}, ${process.pid})`);
        });
      }
      ok = true;
    } finally {
      await query('update runs set ended_at = ?, ok = ? where id = ?', [Date.now(), ok ? 1 : 0, id]);
    }
  }

  @OnEvent('probe.sent', { name: 'probe', concurrency: 1, circuit: false })
  async probe(): Promise<void> {
    await query('insert into probes (pid) values (?)', [process.pid]);
  }
}

/** Lets all that has come to it go on at once. */
@Injectable()
class Gate implements EventMiddleware {
  private opening: Promise<void> | undefined;

  async invoke(_invocation: Invocation, next: () => Promise<void>): Promise<void> {
    await (this.opening ??= this.open());
    await next();
  }

  private async open(): Promise<void> {
    while ((await query<unknown[]>('select 1 from control where gate_open = 1')).length === 0) await sleep(10);
  }
}

@Module({
  imports: [EventsModule.forRoot({ ...config.events, ...(config.gated && { middleware: [Gate] }), dataSource })],
  providers: [Handlers as Type, Gate],
})
class ChainNodeModule {}

function methodsOf(app: INestApplicationContext): ChainNodeMethods {
  const publisher = app.get(EventPublisher);
  const handlers = app.get(EventHandlerRegistry);
  return {
    async publish(payloads) {
      await publisher.publishAll(payloads.map((payload) => ({ event: workDone, payload })));
    },
    async probe() {
      await publisher.publish('probe.sent', {});
    },
    stats: () => Promise.resolve(app.get(EventsStats).snapshot().handlers['work']),
    pauseNode: () => app.get(EventsNode).pause(),
    resumeNode: () => app.get(EventsNode).resume(),
    pause: () => handlers.pause('work'),
    resume: () => handlers.resume('work'),
    retire: () => handlers.retire('work'),
    redrive: (filter) => app.get(DeadLetters).redrive(filter),
  };
}

function send(message: CallMessage): void {
  process.send?.(message);
}

async function main(): Promise<void> {
  await dataSource.initialize();
  const app = await NestFactory.createApplicationContext(ChainNodeModule, { logger: ['log', 'warn', 'error'] });
  app.enableShutdownHooks();
  serveCalls(methodsOf(app), async () => {
    await app.close();
    await dataSource.destroy();
  });
  // The channel must not keep this process alive after SIGTERM, nor the node when nobody steers it any more.
  process.channel?.unref();
  process.once('disconnect', () => process.exit());
  send({ kind: 'ready' });
}

await main();
