import { DataSource } from 'typeorm';
import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import type { StoreHarness } from '../../libs/events/src/testing/store-contract/contract-case.js';
import { dialectOf, type SupportedDatabase } from '../../libs/events/src/typeorm/dialect-type.js';
import { engineOptions } from '../../libs/events/src/typeorm/engine-options.js';
import { tables } from '../../libs/events/src/typeorm/tables.js';
import { TypeOrmTransactions } from '../../libs/events/src/typeorm/transactions/typeorm-transactions.js';
import type { TypeOrmStoreOptions } from '../../libs/events/src/typeorm/typeorm-store.options.js';
import { TypeOrmStore } from '../../libs/events/src/typeorm/typeorm.store.js';
import type { TestDatabase } from './databases.js';

export interface TypeOrmHarness extends StoreHarness {
  readonly store: TypeOrmStore;
  another(options?: Partial<TypeOrmStoreOptions>): Promise<TypeOrmStore>;
  /** One statement past the store, on a connection of its own where there can be one. `{inbox}` is that table's name. */
  readonly hand: <T>(sql: string, params?: readonly unknown[]) => Promise<T[]>;
}

/** TypeORM stores on a database of their own; in memory, where there is one connection for everything, all share it. */
export async function typeormHarness(database: TestDatabase | Promise<TestDatabase>): Promise<TypeOrmHarness> {
  const { connection, schema, remove } = await database;
  const clock = new SystemClock();
  const names = { tablePrefix: 'event_', schema };
  const inMemory = connection.type === 'better-sqlite3' && connection.database === ':memory:';
  const shared = inMemory ? await new DataSource(engineOptions(connection, names)).initialize() : undefined;
  const closing: (() => Promise<void>)[] = [];
  const another = async (options: Partial<TypeOrmStoreOptions> = {}) => {
    const application = shared ?? (await new DataSource(connection).initialize());
    const transactions = new TypeOrmTransactions(application, { clock, transactionTimeoutMs: 10_000 });
    const store = new TypeOrmStore({
      connection,
      ...names,
      migrate: true,
      clock,
      transactions,
      existing: shared,
      ...options,
    });
    closing.push(async () => {
      await store.close();
      if (!shared) await application.destroy();
    });
    await store.open();
    return store;
  };
  const table = tables(dialectOf(connection.type as SupportedDatabase), 'event_', schema);
  const hand = async <T>(sql: string, params: readonly unknown[] = []) => {
    const source = shared ?? (await new DataSource(connection).initialize());
    try {
      const named = sql.replaceAll(/\{(\w+)\}/g, (_, name: keyof typeof table) => table[name]);
      return await source.query<T[]>(named, [...params]);
    } finally {
      if (!shared) await source.destroy();
    }
  };
  return {
    store: await another(),
    another,
    hand,
    forgetNode: async (node) => {
      await hand(`delete from {node} where id = ${node}`);
    },
    dispose: async () => {
      for (const close of closing) await close();
      await shared?.destroy();
      await remove();
    },
  };
}
