/** A small application that keeps orders and handles `order.placed`, with everything that the library logged. */
import { Injectable, type LoggerService, type ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  DeliveryContext,
  EventInbox,
  EventMessage,
  EventPublisher,
  EventsModule,
  OnEvent,
  type EventsModuleOptions,
} from 'nestjs-durable-events';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { onTestFinished } from 'vitest';
import type { DatabaseKind, OwnDatabase } from './database-kinds.js';
import { Order, orderNames, Stock } from './shop.js';

/** The lines of all levels, as `level: text`. */
export class LogLines implements LoggerService {
  readonly lines: string[] = [];
  readonly log = (text: unknown) => this.add('log', text);
  readonly warn = (text: unknown) => this.add('warn', text);
  readonly error = (text: unknown) => this.add('error', text);
  readonly fatal = (text: unknown) => this.add('fatal', text);

  matching(pattern: RegExp): string[] {
    return this.lines.filter((line) => pattern.test(line));
  }

  private add(level: string, text: unknown): void {
    this.lines.push(`${level}: ${String(text)}`);
  }
}

/** Remembers the payloads of the orders it was told of; a test may have it do something on top. */
@Injectable()
export class OrderHandler {
  readonly seen: unknown[] = [];
  readonly startedAt: number[] = [];
  work: (event: EventMessage, context: DeliveryContext) => unknown = () => undefined;

  @OnEvent('order.placed', { name: 'orders', retry: { maxAttempts: 3, initialDelay: 1, jitter: 'none' } })
  async run(event: EventMessage, context: DeliveryContext): Promise<void> {
    this.startedAt.push(performance.now());
    this.seen.push(event.payload);
    await this.work(event, context);
  }
}

/** A database that goes with the test. */
export async function ownDatabase(kind: DatabaseKind): Promise<OwnDatabase> {
  const database = await kind.create();
  onTestFinished(() => database.drop());
  return database;
}

export function shopOptions({ options }: OwnDatabase): DataSourceOptions {
  return {
    ...options,
    entities: [Order, Stock],
    synchronize: true,
    ...(options.type === 'better-sqlite3' && { enableWAL: true }),
  };
}

export interface Parts extends Pick<ModuleMetadata, 'providers' | 'imports'> {
  readonly events?: EventsModuleOptions;
}

/** Boots the shop with its DataSource as the application's default; closes it when the test has finished. */
export async function startShop(database: OwnDatabase, parts: Parts = {}): Promise<Shop> {
  const { events = {}, providers = [OrderHandler], imports = [] } = parts;
  const log = new LogLines();
  const app = await Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot(shopOptions(database)),
      EventsModule.forRoot({ pollInterval: '50ms', ...events }),
      ...imports,
    ],
    providers,
  })
    .setLogger(log)
    .compile();
  onTestFinished(() => app.close());
  await app.init();
  return new Shop(app, log);
}

export class Shop {
  readonly dataSource: DataSource;
  readonly publisher: EventPublisher;
  readonly inbox: EventInbox;

  constructor(
    readonly app: TestingModule,
    readonly log: LogLines,
  ) {
    this.dataSource = app.get(DataSource, { strict: false });
    this.publisher = app.get(EventPublisher, { strict: false });
    this.inbox = app.get(EventInbox, { strict: false });
  }

  get handler(): OrderHandler {
    return this.app.get(OrderHandler, { strict: false });
  }

  /** Names of the orders that are committed. */
  orders(): Promise<string[]> {
    return orderNames(this.dataSource);
  }

  async count(from: string): Promise<number> {
    const [row] = await this.dataSource.query<{ n: string | number }[]>(`select count(*) as n from ${from}`);
    return Number(row?.n);
  }

  /** Publishes one more event and waits until it is handled: whatever was to run before it has begun by then. */
  async seenUpTo(last: unknown): Promise<unknown[]> {
    await this.publisher.publish('order.placed', last);
    await this.until(
      () => this.handler.seen.some((payload) => JSON.stringify(payload) === JSON.stringify(last)),
      `${JSON.stringify(last)} is handled`,
    );
    return this.handler.seen;
  }

  /** Waits until it holds. */
  async until(holds: () => boolean | Promise<boolean>, what: string, deadlineMs = 8_000): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    while (!(await holds())) {
      if (performance.now() > deadline) throw new Error(`it never came to this: ${what}\n${this.log.lines.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
