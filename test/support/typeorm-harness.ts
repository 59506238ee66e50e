import { DataSource, type DataSourceOptions } from 'typeorm';
import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import type { StoreHarness } from '../../libs/events/src/testing/store-contract/contract-case.js';
import { engineOptions } from '../../libs/events/src/typeorm/engine-options.js';
import { tables } from '../../libs/events/src/typeorm/tables.js';
import { TypeOrmStore } from '../../libs/events/src/typeorm/typeorm.store.js';
import { PlainTransactions } from '/tmp/bench/plain-transactions.js';
import type { TestDatabase } from './databases.js';

/** TypeORM stores on a database of their own; in memory, where there is one connection for everything, all are one. */
export async function typeormHarness({ connection, schema, remove }: TestDatabase): Promise<StoreHarness> {
  const names = { tablePrefix: 'event_', schema };
  const inMemory = connection.type === 'better-sqlite3' && connection.database === ':memory:';
  const open: (() => Promise<void>)[] = [];
  const shared = inMemory ? await new DataSource(engineOptions(connection, names)).initialize() : undefined;
  const another = async () => {
    const application = shared ?? (await new DataSource(connection as DataSourceOptions).initialize());
    const transactions = new PlainTransactions(application);
    const store = new TypeOrmStore({
      connection,
      ...names,
      migrate: true,
      clock: new SystemClock(),
      transactions,
      existing: shared,
    });
    open.push(async () => {
      await store.close();
      if (application !== shared) await application.destroy();
    });
    await store.open();
    return store;
  };
  const store = await another();
  return {
    store,
    another,
    forgetNode: async (node) => {
      const hand = shared ?? (await new DataSource(connection).initialize());
      await hand.query(`delete from ${tables('event_', schema).node} where id = ${node}`);
      if (!shared) await hand.destroy();
    },
    dispose: async () => {
      for (const close of open) await close();
      await shared?.destroy();
      await remove();
    },
  };
}
