/** Scope: transactions whose work ends them, goes on after them, or leaves something open in them: nobody is told a lie. */
import type { Pool } from 'pg';
import type { DataSource, DataSourceOptions, EntityManager } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import { TransactionLeftOpenError } from '../../libs/events/src/errors/transaction-left-open.error.js';
import { TypeOrmTransactions } from '../../libs/events/src/typeorm/transactions/typeorm-transactions.js';
import { databaseKinds, type OwnDatabase } from '../support/database-kinds.js';
import { openShop, Order, orderNames, Stock } from '../support/shop.js';

const insert = (manager: EntityManager, name: string) => manager.getRepository(Order).insert({ name });
const orderTable = ({ dataSource }: EntityManager) => dataSource.driver.escape('order');
const insertAgain = (manager: EntityManager, name: string) =>
  manager.query(`insert into ${orderTable(manager)} (name) values ('${name}')`);

describe.each(databaseKinds)('on $name', (kind) => {
  let database: OwnDatabase;
  let app: DataSource;
  let transactions: TypeOrmTransactions;

  beforeEach(async () => {
    database = await kind.create();
    // One for transactions, one to look at what they have left.
    app = await openShop({ ...database.options, poolSize: 2 } as DataSourceOptions);
    transactions = new TypeOrmTransactions(app, { transactionTimeoutMs: 5_000, clock: new SystemClock() });
    await transactions.open();
  });

  afterEach(async () => {
    await transactions.close();
    await app.destroy();
    await database.drop();
  });

  /** On the connection for transactions and on another, if there is one: a transaction left open would show. */
  async function namesEverywhere() {
    return transactions.transaction(async (manager) => {
      await insert(manager, 'next');
      const names = await manager.query<{ name: string }[]>(`select name from ${orderTable(manager)}`);
      return [names.map(({ name }) => name), await orderNames(app)];
    });
  }
  const ONLY_OURS = [['next'], kind.name === 'sqlite' ? ['next'] : []];

  if (kind.name === 'postgres') {
    it('a connection that the server ends as soon as it is made ends no process', async () => {
      const { master: pool } = app.driver as unknown as { master: Pool };
      const first = await pool.connect();
      // When a connection is handed over, nobody has had the time to listen yet.
      const listeners = await new Promise<number>((resolve) =>
        pool.connect((_, second, release) => {
          resolve(second?.listenerCount('error') ?? 0);
          release(true);
        }),
      );
      expect(listeners).toBeGreaterThan(0);
      first.release();
      expect(await namesEverywhere()).toEqual(ONLY_OURS);
    });
  }

  it('a nested transaction that was not ended: nothing is stored, and the caller is told', async () => {
    const committed: string[] = [];
    const failed = transactions.transaction(async (manager) => {
      transactions.afterCommit(manager, () => committed.push('no'));
      await insert(manager, 'outer');
      await manager.queryRunner?.startTransaction();
      await insert(manager, 'nested');
    });
    await expect(failed).rejects.toThrow(TransactionLeftOpenError);
    expect([await namesEverywhere(), committed]).toEqual([ONLY_OURS, []]);
  });

  it('a nested transaction that was not ended by work that fails: nothing is stored', async () => {
    const failed = transactions.transaction(async (manager) => {
      await insert(manager, 'outer');
      await manager.queryRunner?.startTransaction();
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await namesEverywhere()).toEqual(ONLY_OURS);
  });

  it('a subscriber that fails the rollback: nothing is stored', async () => {
    const subscriber = {
      beforeTransactionRollback() {
        throw new Error('subscriber');
      },
    };
    app.subscribers.push(subscriber);
    const failed = transactions.transaction(async (manager) => {
      await insert(manager, 'a');
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    app.subscribers.splice(app.subscribers.indexOf(subscriber), 1);
    expect(await namesEverywhere()).toEqual(ONLY_OURS);
  });

  it('a branch of Promise.all that goes on after another has failed stores nothing', async () => {
    const branches: Promise<unknown>[] = [];
    const failed = transactions.transaction(async (manager) => {
      const goOn = async (branch: number) => {
        for (let n = 0; n < 50; n++) await insert(manager, `${branch} ${n}`);
      };
      branches.push(goOn(1), goOn(2), goOn(3));
      const fail = async () => {
        await insert(manager, 'before');
        throw new Error('one failed');
      };
      await Promise.all([...branches, fail()]);
    });
    await expect(failed).rejects.toThrow('one failed');
    const states = await Promise.allSettled(branches);
    expect([states.map(({ status }) => status), await orderNames(app)]).toEqual([
      ['rejected', 'rejected', 'rejected'],
      [],
    ]);
  });

  // MariaDB has none.
  if (kind.name !== 'mariadb') {
    it('a commit that is refused (by a deferred constraint) is a rollback', async () => {
      const refused = transactions.transaction(async (manager) => {
        await manager.query(`create table parent (id int primary key)`);
        await manager.query(`create table child (parent int references parent (id) deferrable initially deferred)`);
        await insert(manager, 'a');
        await manager.query('insert into child values (7)');
      });
      await expect(refused).rejects.toThrow(/foreign key/i);
      expect(await namesEverywhere()).toEqual(ONLY_OURS);
    });
  }

  it('a failure that the work has swallowed: committed where the rest can be, else the caller is told', async () => {
    await transactions.transaction((manager) => insert(manager, 'a'));
    const result = transactions.transaction(async (manager) => {
      await insert(manager, 'b');
      await manager.transaction((inner) => inner.query('select * from nowhere')).catch(() => {});
      await insertAgain(manager, 'a').catch(() => {});
      await manager.query('select 1').catch(() => {});
    });
    const told = await result.then(
      () => 'committed',
      (error: unknown) => String(error),
    );
    const [expected, names] = kind.name === 'postgres' ? [/unique/, ['a']] : [/^committed$/, ['a', 'b']];
    expect([told, await orderNames(app)]).toEqual([expect.stringMatching(expected), names]);
  });

  it('a failure that a savepoint has made up for is committed', async () => {
    await transactions.transaction(async (manager) => {
      await insert(manager, 'a');
      await manager.transaction((inner) => insertAgain(inner, 'a')).catch(() => {});
      await insert(manager, 'b');
    });
    expect(await orderNames(app)).toEqual(['a', 'b']);
  });

  if (kind.name === 'mariadb') {
    it('a deadlock that the work swallows: nothing of it stays, not even what was sent behind it', async () => {
      await app.getRepository(Stock).insert([
        { article: 'a', count: 0 },
        { article: 'b', count: 0 },
      ]);
      const take = (manager: EntityManager, article: string) =>
        manager.query(`update stock set count = count + 1 where article = '${article}'`);
      const log: string[] = [];
      const other = app.createQueryRunner();
      await other.startTransaction();
      // What has written most is not the one to give way.
      for (let n = 0; n < 10; n++) await insert(other.manager, `heavy ${n}`);
      await take(other.manager, 'b');
      const failed = transactions.transaction(async (manager) => {
        await insert(manager, 'before');
        await take(manager, 'a');
        const crossed = take(other.manager, 'a');
        await Promise.all([
          take(manager, 'b').catch((error: unknown) => log.push(String(error))),
          insert(manager, 'behind').catch(() => log.push('behind')),
        ]);
        await insert(manager, 'after').catch(() => log.push('after'));
        await crossed;
      });
      await expect(failed).rejects.toThrow(/deadlock/i);
      await other.rollbackTransaction();
      await other.release();
      expect([log, await orderNames(app)]).toEqual([[expect.stringMatching(/deadlock/i), 'behind', 'after'], []]);
    });

    it('subscribers that query inside a statement do not wait for its end', async () => {
      const subscriber = {
        listenTo: () => Order,
        afterInsert: async ({ manager }: { manager: EntityManager }) => {
          await manager.query('select 1');
        },
        beforeQuery: async ({ manager, query }: { manager: EntityManager; query: string }) => {
          if (query.startsWith('INSERT')) await manager.query('select 2');
        },
      };
      app.subscribers.push(subscriber);
      await transactions.transaction((manager) => insert(manager, 'a'));
      expect(await orderNames(app)).toEqual(['a']);
    });
  }

  if (kind.name === 'sqlite') {
    it('a transaction that SQLite rolls back: work that goes on stores nothing', async () => {
      const log: string[] = [];
      const failed = transactions.transaction(async (manager) => {
        await insert(manager, 'a');
        await manager.query(`insert or rollback into "order" ("name") values ('a')`).catch(() => log.push('conflict'));
        await insert(manager, 'b').catch(() => log.push('manager'));
        const save = app.getRepository(Order).save({ name: 'c' });
        await save.catch(() => log.push('repository'));
      });
      await expect(failed).rejects.toThrow(/released/);
      expect([log, await orderNames(app)]).toEqual([['conflict', 'manager', 'repository'], []]);
    });
  }
});
