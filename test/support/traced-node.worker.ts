import 'reflect-metadata';
import { type INestApplicationContext, Injectable, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { trace } from '@opentelemetry/api';
import { DataSource, type DataSourceOptions } from 'typeorm';
import {
  DeliveryContext,
  EventMessage,
  EventPublisher,
  EventsModule,
  EventsNode,
  OnEvent,
  type EventsModuleOptions,
} from '../../libs/events/src/index.js';
import type { CallMessage } from './called-process.js';
import { serveCalls } from './serve-calls.js';
import { Traces } from './traces.js';

/**
 * One node in a process of its own, with an OpenTelemetry SDK and an exporter of its own. Its handler's first attempt waits
 * until it is told to fail; the next publishes `work.followed`.
 */
export interface TracedNodeConfig {
  readonly dataSource: DataSourceOptions;
  readonly events?: Omit<EventsModuleOptions, 'dataSource'>;
}

/** A span as a test needs it. */
export interface SeenSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** What a test may call in the node's process. */
export interface TracedNodeMethods {
  /** Publishes `work.done` inside of a span `request`; answers its id. */
  publish(): Promise<string>;
  /** Resolves when the first attempt has begun here. */
  begun(): Promise<void>;
  failFirst(): Promise<void>;
  spans(): Promise<SeenSpan[]>;
  pause(): Promise<void>;
  resume(): Promise<void>;
}

const config = JSON.parse(process.argv[2] ?? '{}') as TracedNodeConfig;
const dataSource = new DataSource(config.dataSource);
const traces = Traces.register();
const [begun, begin] = signal();
const [told, tell] = signal();

function signal(): readonly [Promise<void>, () => void] {
  let resolve!: () => void;
  return [new Promise<void>((done) => (resolve = done)), () => resolve()];
}

@Injectable()
class Work {
  constructor(private readonly publisher: EventPublisher) {}

  @OnEvent('work.done', { name: 'work', retry: { initialDelay: 1, jitter: 'none' }, timeout: '5m' })
  async run(_event: EventMessage, context: DeliveryContext): Promise<void> {
    if (context.attempt === 1) {
      begin();
      await told;
      throw new Error('down');
    }
    await this.publisher.publish('work.followed', {});
  }
}

@Module({ imports: [EventsModule.forRoot({ ...config.events, dataSource })], providers: [Work as Type] })
class TracedNodeModule {}

function methodsOf(app: INestApplicationContext): TracedNodeMethods {
  const [publisher, node] = [app.get(EventPublisher), app.get(EventsNode)];
  return {
    publish: () =>
      trace.getTracer('test').startActiveSpan('request', async (request) => {
        const { id } = await publisher.publish('work.done', {});
        request.end();
        return id;
      }),
    begun: () => begun,
    async failFirst() {
      tell();
    },
    spans: () =>
      Promise.resolve(
        traces.spans.map((span) => ({
          name: span.name,
          ...idsOf(span.spanContext()),
          parentSpanId: span.parentSpanContext?.spanId,
          links: span.links.map(({ context }) => idsOf(context)),
          attributes: span.attributes,
        })),
      ),
    pause: () => node.pause(),
    resume: () => node.resume(),
  };
}

function idsOf({ traceId, spanId }: { traceId: string; spanId: string }) {
  return { traceId, spanId };
}

async function main(): Promise<void> {
  await dataSource.initialize();
  const app = await NestFactory.createApplicationContext(TracedNodeModule, { logger: ['warn', 'error'] });
  app.enableShutdownHooks();
  serveCalls(methodsOf(app), async () => {
    await app.close();
    await dataSource.destroy();
  });
  process.channel?.unref();
  process.once('disconnect', () => process.exit());
  process.send?.({ kind: 'ready' } satisfies CallMessage);
}

await main();
