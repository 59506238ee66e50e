/** Scope: how an application sets the module up: options, databases, and what is refused at the start. */
import { Inject, Injectable, Module, Scope, type ModuleMetadata } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import {
  DuplicateModuleError,
  EventInbox,
  EventMessage,
  EventPublisher,
  EventsModule,
  InvalidOptionError,
  Invocation,
  OnEvent,
  type EventsModuleOptions,
} from 'nestjs-durable-events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { databaseKinds, sqliteKind } from '../support/database-kinds.js';
import { LogLines, OrderHandler, ownDatabase, shopOptions, startShop } from '../support/shop-app.js';

interface Booted {
  readonly app: TestingModule;
  /** What the boot log says of where events are stored. */
  readonly storedIn: string | undefined;
}

async function boot(metadata: ModuleMetadata): Promise<Booted> {
  const log = new LogLines();
  const app = await Test.createTestingModule({ providers: [OrderHandler], ...metadata })
    .setLogger(log)
    .compile();
  onTestFinished(() => app.close());
  await app.init();
  const [line] = log.matching(/events are stored in/);
  return { app, storedIn: line?.replace('log: events are stored in ', '') };
}

const refusal = (metadata: ModuleMetadata) =>
  boot(metadata).then(
    () => 'started',
    (error: unknown) => error,
  );

async function delivers({ app }: Booted): Promise<void> {
  await app.get(EventPublisher).publish('order.placed', { n: 1 });
  await expect.poll(() => app.get(OrderHandler).seen, { timeout: 5_000 }).toEqual([{ n: 1 }]);
}

function nameOf(options: DataSourceOptions): string {
  if (options.type === 'better-sqlite3') return `SQLite file ${options.database}`;
  const { hostname, port, pathname } = new URL((options as { url: string }).url);
  const name = options.type === 'postgres' ? 'PostgreSQL' : 'MariaDB';
  return `${name} ${hostname}:${port}${pathname}`;
}

describe.each(databaseKinds)('the database on $name', (kind) => {
  it('may be given as options', async () => {
    const { options } = await ownDatabase(kind);
    const booted = await boot({ imports: [EventsModule.forRoot({ dataSource: options })] });
    await delivers(booted);
    expect(booted.storedIn).toBe(`${nameOf(options)} (option dataSource)`);
  });

  it('may be given as a DataSource, which stays open when the application closes', async () => {
    const { options } = await ownDatabase(kind);
    const dataSource = await new DataSource(options).initialize();
    const booted = await boot({ imports: [EventsModule.forRoot({ dataSource })] });
    await delivers(booted);
    expect(booted.storedIn).toBe(`${nameOf(options)} (option dataSource)`);
    await booted.app.close();
    expect(await dataSource.query('select 1 as one')).toEqual([{ one: 1 }]);
    await dataSource.destroy();
  });

  it('may be given as the token of a DataSource, and is then not the default one', async () => {
    const database = await ownDatabase(kind);
    const other = await ownDatabase(kind);
    const booted = await boot({
      imports: [
        EventsModule.forRoot({ dataSource: getDataSourceToken('ledger') }),
        TypeOrmModule.forRoot(shopOptions(other)),
        TypeOrmModule.forRoot({ ...shopOptions(database), name: 'ledger' }),
      ],
    });
    await delivers(booted);
    expect(booted.storedIn).toBe(`${nameOf(database.options)} (option dataSource)`);
    const ledger = booted.app.get<DataSource>(getDataSourceToken('ledger'), { strict: false });
    await booted.app.get(EventPublisher).transaction(async (manager) => expect(manager.dataSource).toBe(ledger));
  });

  it("left out is the application's default DataSource, whatever the order of imports", async () => {
    const database = await ownDatabase(kind);
    const booted = await boot({ imports: [EventsModule.forRoot(), TypeOrmModule.forRoot(shopOptions(database))] });
    await delivers(booted);
    expect(booted.storedIn).toBe(`${nameOf(database.options)} (the application's DataSource)`);
  });

  it('and everything else may come from a factory that injects', async () => {
    const { options } = await ownDatabase(kind);

    @Module({ providers: [{ provide: 'CONFIG', useValue: { prefix: 'shop_events_' } }], exports: ['CONFIG'] })
    class ConfigModule {}

    const booted = await boot({
      imports: [
        EventsModule.forRootAsync({
          imports: [ConfigModule],
          inject: ['CONFIG'],
          useFactory: async (config: { prefix: string }) => ({ dataSource: options, tablePrefix: config.prefix }),
        }),
      ],
    });
    await delivers(booted);
    const watcher = await new DataSource(options).initialize();
    const stored = await watcher.query<unknown[]>(`select version from shop_events_inbox where type = 'order.placed'`);
    expect(stored).toEqual([{ version: 1 }]);
    await watcher.destroy();
  });

  it('without its tables is refused when it must not be migrated, and taken when another has migrated it', async () => {
    const { options } = await ownDatabase(kind);
    const imports = [EventsModule.forRoot({ dataSource: options, migrate: false })];
    const refused = await refusal({ imports });
    expect(refused).toMatchObject({
      code: 'EVENTS_SCHEMA_BEHIND',
      pending: [
        'DurableEventsInitial1767225600000',
        'DurableEventsInvokerChain1769904000000',
        'DurableEventsLanes1772323200000',
        'DurableEventsDueAt1774742400000',
      ],
      message: expect.stringMatching(/lacks 4 migration\(s\) of the event tables: DurableEventsInitial.*migrate: true/),
    });
    await (await boot({ imports: [EventsModule.forRoot({ dataSource: options })] })).app.close();
    await delivers(await boot({ imports: [EventsModule.forRoot({ dataSource: options, migrate: false })] }));
  });

  it('may serve two applications of one process; each event is handled once, and either may leave', async () => {
    const database = await ownDatabase(kind);
    const one = await startShop(database);
    const two = await startShop(database);
    const numbers = Array.from({ length: 60 }, (_, n) => n);
    await Promise.all(numbers.map((n) => (n % 2 ? one : two).publisher.publish('order.placed', { n })));
    const seen = () => [...one.handler.seen, ...two.handler.seen].map((payload) => (payload as { n: number }).n);
    await one.until(async () => (await one.count('event_completion')) === 60, 'all are completed');
    expect(seen().toSorted((a, b) => a - b)).toEqual(numbers);
    await one.app.close();
    expect(await two.seenUpTo({ n: 60 })).toContainEqual({ n: 60 });
    await two.until(async () => (await two.count('event_completion')) === 61, 'the last is completed');
    expect([await two.count('event_node'), await two.count('event_delivery')]).toEqual([1, 0]);
  });

  it('gives a request-scoped handler an instance of its own for each delivery, with the invocation as its request', async () => {
    const seen: { self: object; id: string; attempt: number }[] = [];

    @Injectable({ scope: Scope.REQUEST })
    class ScopedHandler {
      constructor(@Inject(REQUEST) private readonly invocation: Invocation) {}

      @OnEvent('order.scoped', { retry: { initialDelay: 1, jitter: 'none' } })
      run(event: EventMessage): void {
        seen.push({ self: this, id: this.invocation.event.id, attempt: this.invocation.attempt });
        if (event.id === 'b' && seen.length < 3) throw new Error('again');
      }
    }
    const shop = await startShop(await ownDatabase(kind), { providers: [ScopedHandler] });
    await shop.publisher.publish('order.scoped', {}, { id: 'a' });
    await shop.until(() => seen.length === 1, 'the first is handled');
    await shop.publisher.publish('order.scoped', {}, { id: 'b' });
    await shop.until(async () => (await shop.count('event_completion')) === 2, 'both are completed');
    expect(seen.map(({ id, attempt }) => [id, attempt])).toEqual([
      ['a', 1],
      ['b', 1],
      ['b', 2],
    ]);
    expect(new Set(seen.map(({ self }) => self)).size).toBe(3);
  });

  it('lets a delivery that waits be cancelled, once', async () => {
    const shop = await startShop(await ownDatabase(kind));
    await shop.publisher.publish('order.placed', { n: 1 }, { id: 'a', delay: 150 });
    const [delivery] = await shop.inbox.deliveries('a');
    const id = delivery?.id ?? 'none';
    expect(await shop.inbox.cancel(id)).toBe(true);
    expect(await shop.inbox.cancel(id)).toBe(false);
    expect(await shop.inbox.cancel('4711')).toBe(false);
    expect(await shop.inbox.deliveries('a')).toMatchObject([
      { id, handler: 'orders', state: 'cancelled', attempts: 0 },
    ]);
    await shop.publisher.publish('order.placed', { n: 2 }, { delay: 200 });
    await shop.until(() => shop.handler.seen.length === 1, 'the later one is handled');
    expect(shop.handler.seen).toEqual([{ n: 2 }]);
    await expect(shop.inbox.cancel('first')).rejects.toThrow("not a delivery id: 'first'");
  });
});

describe('the embedded database', () => {
  it('is events.sqlite in the working directory when the application has no DataSource', async () => {
    const [before, folder] = [process.cwd(), mkdtempSync(join(tmpdir(), 'durable-events-'))];
    onTestFinished(() => {
      process.chdir(before);
      rmSync(folder, { recursive: true });
    });
    process.chdir(folder);
    const booted = await boot({ imports: [EventsModule.forRoot()] });
    await delivers(booted);
    expect(booted.storedIn).toBe('SQLite file events.sqlite (embedded)');
    expect(existsSync(join(folder, 'events.sqlite'))).toBe(true);
    await booted.app.close();
  });

  it('may live in memory, where its transactions work like anywhere', async () => {
    const booted = await boot({
      imports: [EventsModule.forRoot({ dataSource: { type: 'better-sqlite3', database: ':memory:' } })],
    });
    const handler = booted.app.get(OrderHandler);
    const publisher = booted.app.get(EventPublisher);
    handler.work = ({ payload }, context) =>
      context.transaction(async (manager) => {
        await manager.query('create table if not exists kept (n integer)');
        await manager.query('insert into kept values (?)', [(payload as { n: number }).n]);
        if (context.attempt === 1) throw new Error('once');
      });
    await publisher.transaction(() => publisher.publish('order.placed', { n: 5 }, { id: 'a' }));
    const inbox = booted.app.get(EventInbox);
    await expect
      .poll(() => inbox.deliveries('a'), { timeout: 5_000 })
      .toMatchObject([{ state: 'completed', attempts: 2 }]);
    expect(await publisher.transaction((manager) => manager.query('select n from kept'))).toEqual([{ n: 5 }]);
    expect(booted.storedIn).toBe('SQLite in memory (option dataSource)');
  });
});

describe('what is refused at the start', () => {
  const memory = { store: 'memory' } as const;

  it('is a second EventsModule, however it comes in', async () => {
    @Module({ imports: [EventsModule.forRootAsync({ useFactory: () => memory })] })
    class FeatureModule {}

    const twice = await refusal({
      imports: [EventsModule.forRoot(memory), EventsModule.forRoot({ ...memory, concurrency: 5 })],
    });
    const hidden = await refusal({ imports: [EventsModule.forRoot(memory), FeatureModule] });
    for (const refused of [twice, hidden]) {
      expect(refused).toBeInstanceOf(DuplicateModuleError);
      expect(refused).toMatchObject({ code: 'EVENTS_DUPLICATE_MODULE' });
    }
  });

  it.each([
    [{ concurency: 5 } as EventsModuleOptions, 'concurency'],
    [{ concurrency: 0 }, 'concurrency'],
    [{ pollInterval: 'soon' as '1s' }, 'pollInterval'],
    [{ shutdownTimeout: '40s' } as const, 'shutdownTimeout'],
    [{ defaults: { retry: { maxAttempts: 0 } } }, 'retry.maxAttempts'],
    [{ dataSource: 'no such token' }, 'dataSource'],
  ])('is a bad option, named with its value: %o', async (options, option) => {
    const refused = await refusal({
      imports: [EventsModule.forRoot({ ...(!('dataSource' in options) && memory), ...options })],
    });
    expect(refused).toBeInstanceOf(InvalidOptionError);
    expect(refused).toMatchObject({ code: 'EVENTS_INVALID_OPTION', option: expect.stringContaining(option) });
  });

  it("is an application's DataSource in memory, which the engine could not open a second time", async () => {
    const imports = [TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:' }), EventsModule.forRoot()];
    expect(await refusal({ imports })).toMatchObject({
      code: 'EVENTS_UNSUPPORTED_DATABASE',
      message: expect.stringContaining('cannot be opened twice'),
    });
  });

  it('is a DataSource that has not been initialized', async () => {
    const { options } = await ownDatabase(sqliteKind);
    const dataSource = new DataSource(options);
    expect(await refusal({ imports: [EventsModule.forRoot({ dataSource })] })).toMatchObject({
      code: 'EVENTS_DATA_SOURCE_NOT_READY',
    });
  });
});
