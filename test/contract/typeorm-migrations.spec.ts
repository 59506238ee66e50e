/** Scope: opening a database: migrations up, down, by hand and by many at once; what open refuses. */
import { DataSource, type DataSourceOptions } from 'typeorm';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import { SchemaBehindError } from '../../libs/events/src/errors/schema-behind.error.js';
import { engineOptions } from '../../libs/events/src/typeorm/engine-options.js';
import {
  type EventMigrationOptions,
  eventMigrations,
  eventMigrationSql,
} from '../../libs/events/src/typeorm/migrations/event-migrations.js';
import { TypeOrmStore } from '../../libs/events/src/typeorm/typeorm.store.js';
import { sharedDatabases, sqliteFile, type TestDatabase } from '../support/databases.js';

const cleaning: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleaning.splice(0).toReversed()) await clean();
});

function fresh(make: () => TestDatabase): TestDatabase {
  const database = make();
  cleaning.push(database.remove);
  return database;
}

const noTransactions = {
  open: () => Promise.resolve(),
  close: () => Promise.resolve(),
  transaction: () => Promise.reject(new Error('not for this')),
  checkManager: () => {},
  afterCommit: () => {},
};

function storeOn({ connection, schema }: Pick<TestDatabase, 'connection' | 'schema'>, migrate = true): TypeOrmStore {
  const clock = new SystemClock();
  const store = new TypeOrmStore({
    connection,
    tablePrefix: 'event_',
    schema,
    migrate,
    clock,
    transactions: noTransactions,
  });
  cleaning.push(() => store.close());
  return store;
}

async function dataSource(options: DataSourceOptions): Promise<DataSource> {
  const source = await new DataSource(options).initialize();
  cleaning.push(() => (source.isInitialized ? source.destroy() : Promise.resolve()));
  return source;
}

/** A DataSource of an application that runs our migrations among its own. */
async function byHand({ connection, schema }: TestDatabase): Promise<DataSource> {
  if (schema !== undefined) await (await dataSource(connection)).query(`create schema "${schema}"`);
  const type = connection.type as EventMigrationOptions['type'];
  return dataSource({
    ...connection,
    migrations: eventMigrations({ type, schema }),
    ...(schema && { schema }),
  });
}

async function tableNames(source: DataSource, schema: string | undefined): Promise<string[]> {
  const sql =
    schema === undefined
      ? `select name from sqlite_master where type = 'table' and name like 'event!_%' escape '!' order by name`
      : `select table_name as name from information_schema.tables where table_schema = '${schema}' order by 1`;
  return (await source.query<{ name: string }[]>(sql)).map(({ name }) => name);
}

const ALL_TABLES = [
  'event_completion',
  'event_dead_letter',
  'event_delivery',
  'event_handler',
  'event_idempotency',
  'event_inbox',
  'event_lock',
  'event_migration',
  'event_node',
  'event_rate_limit',
  'event_registry',
  'event_subscription',
];
const NAMES = eventMigrationSql({ type: 'postgres' }).map(({ name }) => name);

describe.each(sharedDatabases)('on %s', (_, make) => {
  it('nodes that open a fresh database at once all succeed, and it is migrated once', async () => {
    const database = fresh(make);
    await Promise.all(Array.from({ length: 10 }, () => storeOn(database).open()));
    const source = await dataSource({ ...database.connection });
    const table = database.schema === undefined ? 'event_migration' : `"${database.schema}".event_migration`;
    expect((await source.query<{ name: string }[]>(`select name from ${table}`)).map(({ name }) => name)).toEqual(
      NAMES,
    );
    expect(await tableNames(source, database.schema)).toEqual(ALL_TABLES);
  });

  it('the entities have the columns of the tables, no more and no fewer', async () => {
    const database = fresh(make);
    await storeOn(database).open();
    const source = await dataSource(
      engineOptions(database.connection, { tablePrefix: 'event_', schema: database.schema }),
    );
    const runner = source.createQueryRunner();
    for (const { tablePath, columns } of source.entityMetadatas) {
      const table = await runner.getTable(tablePath);
      const described = (column: { name: string; isNullable: boolean; isPrimary: boolean }) =>
        `${column.name}${column.isNullable ? '?' : ''}${column.isPrimary ? ' key' : ''}`;
      const inEntity = columns.map(({ databaseName, isNullable, isPrimary }) =>
        described({ name: databaseName, isNullable, isPrimary }),
      );
      expect([tablePath, inEntity.toSorted()]).toEqual([tablePath, table?.columns.map(described).toSorted()]);
    }
    await runner.release();
  });

  it('with migrate off, a schema that is behind is refused, naming what is missing', async () => {
    const database = fresh(make);
    const refused = await storeOn(database, false)
      .open()
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(SchemaBehindError);
    expect(refused).toMatchObject({ code: 'EVENTS_SCHEMA_BEHIND', pending: NAMES });
    expect((refused as Error).message).toMatch(/eventMigrationSql\(\)/);
  });

  it('with migrate off, a schema that is up to date opens', async () => {
    const database = fresh(make);
    await storeOn(database).open();
    const store = storeOn(database, false);
    await store.open();
    expect(await store.loadRegistry()).toEqual({ version: 1, handlers: [] });
  });

  it('run as TypeORM migrations they do the same, and undo it', async () => {
    const database = fresh(make);
    const application = await byHand(database);
    await application.runMigrations();
    const store = storeOn(database, false);
    await store.open();
    await store.close();
    await application.undoLastMigration();
    expect((await tableNames(application, database.schema)).filter((name) => name !== 'migrations')).toEqual([
      'event_migration',
    ]);
    await expect(storeOn(database, false).open()).rejects.toThrow(SchemaBehindError);
    await storeOn(database).open();
    expect((await tableNames(application, database.schema)).filter((name) => name !== 'migrations')).toEqual(
      ALL_TABLES,
    );
  });

  it('their SQL can be run and undone by hand', async () => {
    const database = fresh(make);
    const { connection, schema } = database;
    const source = await byHand(database);
    const [{ up, down }] = eventMigrationSql({ type: connection.type as EventMigrationOptions['type'], schema });
    for (const sql of up) await source.query(sql);
    await storeOn(database, false).open();
    for (const sql of down) await source.query(sql);
    expect(await tableNames(source, schema)).toEqual(['event_migration']);
  });

  it('two prefixes live side by side', async () => {
    const database = fresh(make);
    const open = async (tablePrefix: string) => {
      const store = new TypeOrmStore({
        ...database,
        tablePrefix,
        migrate: true,
        clock: new SystemClock(),
        transactions: noTransactions,
      });
      cleaning.push(() => store.close());
      await store.open();
      return store;
    };
    const [one, two] = [await open('one_'), await open('two_')];
    await one.registerNode({ label: 'a', host: 'h', pid: 1 }, 0);
    expect([(await one.nodes()).length, (await two.nodes()).length]).toEqual([1, 0]);
  });

  it('events written by another program, with nothing but id, type and payload, are raw', async () => {
    const database = fresh(make);
    const store = storeOn(database);
    await store.open();
    const source = await dataSource({ ...database.connection });
    const inbox = database.schema === undefined ? 'event_inbox' : `"${database.schema}".event_inbox`;
    const before = Date.now() - 1_000;
    await source.query(`insert into ${inbox} (id, type, payload) values ('x1', 'a.b', '{"n": 1}')`);
    const result = await store.fanOut({
      limit: 10,
      registryVersion: 1,
      now: Date.now(),
      match: () => [{ handler: 'mail', priority: 50, orderingKey: null }],
    });
    expect(result).toEqual({ events: 1, deliveries: 1, unhandled: [], stale: false });
    const node = await store.registerNode({ label: 'a', host: 'h', pid: 1 }, 0);
    const [claimed] =
      (await store.claim({ node, wants: [{ handler: 'mail', limit: 1 }], limit: 1, suspect: false })) ?? [];
    const { occurredAt, receivedAt, ...event } = claimed.event;
    expect(event).toEqual({
      seq: 1,
      id: 'x1',
      type: 'a.b',
      version: 1,
      payload: '{"n": 1}',
      headers: null,
      orderingKey: null,
      priority: null,
    });
    for (const time of [occurredAt, receivedAt]) {
      expect(time).toBeGreaterThan(before);
      expect(time).toBeLessThan(Date.now() + 1_000);
    }
  });
});

describe('opening', () => {
  it('says which package to install when the driver is missing', async () => {
    const { connection } = fresh(sqliteFile);
    const { PlatformTools } = await import('typeorm/platform/PlatformTools.js');
    const load = vi.spyOn(PlatformTools, 'load').mockImplementation(() => {
      throw new Error('Cannot find module');
    });
    try {
      await expect(storeOn({ connection, schema: undefined }).open()).rejects.toMatchObject({
        code: 'EVENTS_MISSING_DRIVER',
        driver: 'better-sqlite3',
      });
    } finally {
      load.mockRestore();
    }
  });

  it('leaves no connection behind when it fails', async () => {
    const database = fresh(sqliteFile);
    const destroy = vi.spyOn(DataSource.prototype, 'destroy');
    try {
      await expect(storeOn(database, false).open()).rejects.toThrow(SchemaBehindError);
      expect(destroy).toHaveBeenCalledOnce();
    } finally {
      destroy.mockRestore();
    }
  });

  it('of a store that is open already does nothing, and using a store that is not says so', async () => {
    const store = storeOn(fresh(sqliteFile));
    await expect(store.ping()).rejects.toThrow('not open');
    await store.open();
    await store.open();
    await store.close();
    await store.close();
    await expect(store.ping()).rejects.toThrow('not open');
  });
});
