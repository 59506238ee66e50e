/** Scope: transactions whose work ends them, or leaves something open in them, behind our back. */
import type { DataSource, DataSourceOptions, EntityManager } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import { TypeOrmTransactions } from '../../libs/events/src/typeorm/transactions/typeorm-transactions.js';
import { databaseKinds, type OwnDatabase } from '../support/database-kinds.js';
import { openShop, Order, orderNames } from '../support/shop.js';

const insert = (manager: EntityManager, name: string) => manager.getRepository(Order).insert({ name });

describe.each(databaseKinds)('on $name', (kind) => {
  let database: OwnDatabase;
  let app: DataSource;
  let transactions: TypeOrmTransactions;

  beforeEach(async () => {
    database = await kind.create();
    app = await openShop({ ...database.options, poolSize: 2 } as DataSourceOptions);
    transactions = new TypeOrmTransactions(app, { transactionTimeoutMs: 5_000, clock: new SystemClock() });
    await transactions.open();
  });

  afterEach(async () => {
    await transactions.close();
    await app.destroy();
    await database.drop();
  });

  it('a nested transaction that the work did not end: nothing is stored, and the caller is told', async () => {
    const failed = transactions.transaction(async (manager) => {
      await insert(manager, 'outer');
      await manager.queryRunner?.startTransaction();
      await insert(manager, 'nested');
    });
    const result = await failed.then(
      () => 'committed',
      (error: unknown) => error,
    );
    const names = await orderNames(app);
    await transactions.transaction((manager) => insert(manager, 'next'));
    const open = await app.query(kind.name === 'postgres' ? 'select count(*)::int n from pg_stat_activity where datname = current_database() and state = \'idle in transaction\'' : 'select 0 as n');
    expect([result, names, await orderNames(app), open]).toEqual(['?', [], ['next'], [{ n: 0 }]]);
  });

  it('a commit that is refused (deferred constraint) rolls back', async () => {
    const refused = transactions.transaction(async (manager) => {
      if (kind.name !== 'postgres') await manager.query('pragma defer_foreign_keys = on');
      await manager.query(`create table parent_t (id int primary key)`);
      await manager.query(`create table child_t (p int references parent_t (id) deferrable initially deferred)`);
      await insert(manager, 'a');
      await manager.query('insert into child_t values (7)');
    });
    await expect(refused).rejects.toThrow(/foreign key/i);
    await transactions.transaction((manager) => insert(manager, 'next'));
    expect(await orderNames(app)).toEqual(['next']);
  });

  it.runIf(kind.name !== 'postgres')('SQLite itself rolls back and the work goes on', async () => {
    const log: string[] = [];
    const failed = transactions.transaction(async (manager) => {
      await insert(manager, 'a');
      await manager.query(`insert or rollback into "order" ("name") values ('a')`).catch(() => log.push('conflict'));
      await insert(manager, 'b').catch(() => log.push('manager refused'));
      await app.getRepository(Order).save({ name: 'c' }).catch(() => log.push('repository refused'));
    });
    const result = await failed.then(() => 'committed', (error: unknown) => String(error));
    expect([log, await orderNames(app), result]).toEqual([['conflict', 'manager refused', 'repository refused'], [], '?']);
  });
});
