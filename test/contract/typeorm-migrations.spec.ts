/** Scope: migrations: up, down, by hand and by many at once. */
import { DataSource, type DataSourceOptions } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import { SchemaBehindError } from '../../libs/events/src/errors/schema-behind.error.js';
import { engineOptions } from '../../libs/events/src/typeorm/engine-options.js';
import {
  type EventMigrationOptions,
  eventMigrations,
  eventMigrationSql,
} from '../../libs/events/src/typeorm/migrations/event-migrations.js';
import { TypeOrmStore } from '../../libs/events/src/typeorm/typeorm.store.js';
import { sharedDatabases, type TestDatabase } from '../support/databases.js';
import { cleaning, fresh, noTransactions, storeOn } from '../support/unopened-store.js';

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
  const isSqlite = source.options.type === 'better-sqlite3';
  const sql = isSqlite
    ? `select name from sqlite_master where type = 'table' and name like 'event!_%' escape '!' order by name`
    : `select table_name as name from information_schema.tables
         where table_schema = ${schema === undefined ? 'database()' : `'${schema}'`} order by 1`;
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
    const database = await fresh(make);
    await Promise.all(Array.from({ length: 10 }, () => storeOn(database).open()));
    const source = await dataSource({ ...database.connection });
    const table = database.schema === undefined ? 'event_migration' : `"${database.schema}".event_migration`;
    expect((await source.query<{ name: string }[]>(`select name from ${table}`)).map(({ name }) => name)).toEqual(
      NAMES,
    );
    expect(await tableNames(source, database.schema)).toEqual(ALL_TABLES);
  });

  it('the entities have the columns of the tables, no more and no fewer', async () => {
    const database = await fresh(make);
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
    const database = await fresh(make);
    const refused = await storeOn(database, false)
      .open()
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(SchemaBehindError);
    expect(refused).toMatchObject({ code: 'EVENTS_SCHEMA_BEHIND', pending: NAMES });
    expect((refused as Error).message).toMatch(/eventMigrationSql\(\)/);
  });

  it('with migrate off, a schema that is up to date opens', async () => {
    const database = await fresh(make);
    await storeOn(database).open();
    const store = storeOn(database, false);
    await store.open();
    expect(await store.loadRegistry()).toEqual({ version: 1, handlers: [] });
  });

  it('run as TypeORM migrations they do the same, and undo it', async () => {
    const database = await fresh(make);
    const application = await byHand(database);
    await application.runMigrations();
    const store = storeOn(database, false);
    await store.open();
    await store.close();
    for (const _ of NAMES) await application.undoLastMigration();
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
    const database = await fresh(make);
    const { connection, schema } = database;
    const source = await byHand(database);
    const scripts = eventMigrationSql({ type: connection.type as EventMigrationOptions['type'], schema });
    for (const sql of scripts.flatMap(({ up }) => up)) await source.query(sql);
    await storeOn(database, false).open();
    for (const sql of scripts.toReversed().flatMap(({ down }) => down)) await source.query(sql);
    expect(await tableNames(source, schema)).toEqual(['event_migration']);
  });

  it('a database with data of the first one keeps all of it, up, down and up again', async () => {
    const database = await fresh(make);
    const { connection, schema } = database;
    const source = await byHand(database);
    const [initial, chain, , due] = eventMigrationSql({
      type: connection.type as EventMigrationOptions['type'],
      schema,
    });
    const key = source.driver.escape('key');
    const table = (name: string) => (schema === undefined ? `event_${name}` : `"${schema}".event_${name}`);
    const all = async () =>
      Promise.all(
        ['inbox', 'delivery', 'handler', 'rate_limit', 'idempotency'].map((name) =>
          source.query<object[]>(`select * from ${table(name)} order by 1`),
        ),
      );
    const run = async (statements: readonly string[]) => {
      for (const sql of statements) await source.query(sql);
    };
    await run(initial.up);
    await run([
      `insert into ${table('inbox')} (id, type, payload, fanned_out_at) values ('e1', 'order.placed', '{}', 1), ('e2', 'order.placed', '{}', 1)`,
      `insert into ${table('delivery')} (event_seq, handler, priority, claims, attempts) values (1, 'mail', 50, 3, 2), (2, 'mail', 50, 0, 0)`,
      `insert into ${table('handler')} (name, priority, ordered, on_dead_letter, first_seen, last_seen) values ('mail', 50, false, 'block', 1, 2)`,
      `insert into ${table('rate_limit')} (handler, ${key}, tokens, refilled_at, next_slot) values ('mail', '', 0.5, 1767225600001, 1767225600002.5)`,
      `insert into ${table('idempotency')} (handler, ${key}, state, owner, expires_at) values ('mail', 'k', 'completed', 1, 5)`,
    ]);
    const first = await all();
    const store = storeOn(database);
    await store.open();
    const node = await store.registerNode({ label: 'a', host: 'h', pid: 1 }, 0);
    const [claimed] =
      (await store.claim({ node, wants: [{ handler: 'mail', limit: 1 }], limit: 1, suspect: false })) ?? [];
    expect(claimed).toMatchObject({ id: 1, claims: 4, attempts: 2, rateSlot: null, event: { id: 'e1' } });
    expect(claimed.dueAt).toBe(claimed.event.receivedAt);
    const released = { id: 1, claims: 4, seq: 1, handler: 'mail', outcome: 'released', rateSlot: 7 } as const;
    expect(await store.settle(node, [released], 1)).toEqual([true]);
    await store.close();
    const second = await all();

    await run([...due.down, ...chain.down]);
    const [inbox, [delivery, ...rest], ...others] = first as { claims: unknown }[][];
    const raised = { ...delivery, claims: 4 };
    expect(await all()).toEqual([inbox, [raised, ...rest], ...others]);
    await expect(storeOn(database, false).open()).rejects.toMatchObject({ pending: [chain.name, due.name] });

    await run([...chain.up, ...due.up]);
    const again = second.map((rows) => rows.map((row) => ('rate_slot' in row ? { ...row, rate_slot: null } : row)));
    expect(await all()).toEqual(again);
    await storeOn(database, false).open();
  });

  it('two prefixes live side by side', async () => {
    const database = await fresh(make);
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
    const database = await fresh(make);
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

  it('an event whose delay another program wrote was due at its end, or when it was received if that was later', async () => {
    const database = await fresh(make);
    const store = storeOn(database);
    await store.open();
    const source = await dataSource({ ...database.connection });
    const inbox = database.schema === undefined ? 'event_inbox' : `"${database.schema}".event_inbox`;
    await source.query(`insert into ${inbox} (id, type, payload, received_at, available_at)
      values ('x1', 'a.b', '{}', 10, 5), ('x2', 'a.b', '{}', 10, 15)`);
    const match = () => [{ handler: 'mail', priority: 50, orderingKey: null }];
    await store.fanOut({ limit: 10, registryVersion: 1, now: 20, match });
    const node = await store.registerNode({ label: 'a', host: 'h', pid: 1 }, 0);
    const claimed = await store.claim({ node, wants: [{ handler: 'mail', limit: 9 }], limit: 9, suspect: false });
    expect(claimed?.map((one) => [one.event.id, one.dueAt])).toEqual([
      ['x1', 10],
      ['x2', 15],
    ]);
  });
});
