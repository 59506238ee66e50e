/** Scope: transactions of the library on the application's DataSource: what they promise on every database. */
import type { DataSource, DataSourceOptions, EntityManager } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import { ForeignManagerError } from '../../libs/events/src/errors/foreign-manager.error.js';
import { NoTransactionError } from '../../libs/events/src/errors/no-transaction.error.js';
import { TypeOrmTransactions } from '../../libs/events/src/typeorm/transactions/typeorm-transactions.js';
import { databaseKinds, type OwnDatabase } from '../support/database-kinds.js';
import { openShop, Order, orderNames } from '../support/shop.js';

const insert = (manager: EntityManager, name: string) => manager.getRepository(Order).insert({ name });

describe.each(databaseKinds)('transactions on $name', (kind) => {
  let database: OwnDatabase;
  let app: DataSource;
  let transactions: TypeOrmTransactions;

  beforeEach(async () => {
    database = await kind.create();
    app = await openShop({ ...database.options, poolSize: 5 } as DataSourceOptions);
    transactions = new TypeOrmTransactions(app, { transactionTimeoutMs: 5_000, clock: new SystemClock() });
    await transactions.open();
  });

  afterEach(async () => {
    await transactions.close();
    await app.destroy();
    await database.drop();
  });

  it('commits, and answers what the work answered', async () => {
    const answer = await transactions.transaction(async (manager) => {
      await insert(manager, 'a');
      await manager.getRepository(Order).save([{ name: 'b' }, { name: 'c' }]);
      return manager.getRepository(Order).countBy({});
    });
    expect([answer, await orderNames(app)]).toEqual([3, ['a', 'b', 'c']]);
  });

  it('rolls back, and the error comes out as it is', async () => {
    const error = new Error('no');
    const failed = transactions.transaction(async (manager) => {
      await insert(manager, 'a');
      throw error;
    });
    await expect(failed).rejects.toBe(error);
    expect(await orderNames(app)).toEqual([]);
  });

  it('rolls back when a statement fails, and the next one is not affected', async () => {
    await transactions.transaction((manager) => insert(manager, 'a'));
    const failed = transactions.transaction(async (manager) => {
      await insert(manager, 'b');
      await insert(manager, 'a');
    });
    await expect(failed).rejects.toThrow(/unique|duplicate/i);
    await transactions.transaction((manager) => insert(manager, 'c'));
    expect(await orderNames(app)).toEqual(['a', 'c']);
  });

  it('makes savepoints of nested transactions', async () => {
    await transactions.transaction(async (manager) => {
      await insert(manager, 'outer');
      await manager.transaction((inner) => insert(inner, 'kept'));
      const undone = manager.transaction(async (inner) => {
        await insert(inner, 'undone');
        throw new Error('inner');
      });
      await expect(undone).rejects.toThrow('inner');
      await insert(manager, 'last');
    });
    expect(await orderNames(app)).toEqual(['kept', 'last', 'outer']);
  });

  it('refuses statements through a manager whose transaction has ended', async () => {
    let leaked: EntityManager | undefined;
    await transactions.transaction(async (manager) => {
      leaked = manager;
    });
    await expect(insert(leaked as EntityManager, 'late')).rejects.toThrow(/released/);
    expect(() => transactions.checkManager(leaked as EntityManager)).toThrow(NoTransactionError);
    expect(await orderNames(app)).toEqual([]);
  });

  it('lets subscribers of the commit use the database, through the event or a repository', async () => {
    const subscriber = {
      async afterTransactionCommit({ manager }: { manager: EntityManager }) {
        app.subscribers.splice(app.subscribers.indexOf(subscriber), 1);
        await insert(manager, 'by the event');
        await manager.getRepository(Order).save([{ name: 'by the event, saved' }, { name: 'and another' }]);
        await app.getRepository(Order).save({ name: 'by a repository' });
        await transactions.transaction((other) => insert(other, 'by another transaction'));
      },
    };
    app.subscribers.push(subscriber);
    await transactions.transaction((manager) => insert(manager, 'a'));
    expect(await orderNames(app)).toEqual(
      [
        'a',
        'and another',
        'by a repository',
        'by another transaction',
        'by the event',
        'by the event, saved',
      ].toSorted(),
    );
  });

  describe('afterCommit', () => {
    it('calls once, after the outermost commit, when the rows can be seen', async () => {
      const seen: (string | Promise<string[]>)[] = [];
      await transactions.transaction(async (manager) => {
        await manager.transaction(async (inner) => {
          await insert(inner, 'a');
          transactions.afterCommit(inner, () => seen.push('committed'));
        });
        seen.push('still open');
      });
      await transactions.transaction((manager) => insert(manager, 'b'));
      expect(seen).toEqual(['still open', 'committed']);
    });

    it("notices the application's own transactions, of its DataSource and of another one of the database", async () => {
      const other = await openShop(database.options);
      const called: string[] = [];
      for (const [name, source] of Object.entries({ app, other })) {
        await source.transaction(async (manager) => {
          transactions.checkManager(manager);
          transactions.afterCommit(manager, () => called.push(name));
        });
      }
      await other.destroy();
      expect(called).toEqual(['app', 'other']);
    });

    it('never calls after a rollback, not even after a later commit on the connection', async () => {
      const called: string[] = [];
      const fail = async (manager: EntityManager) => {
        transactions.afterCommit(manager, () => called.push('no'));
        await insert(manager, 'a');
        throw new Error('rolled back');
      };
      await expect(transactions.transaction(fail)).rejects.toThrow('rolled back');
      await expect(app.transaction(fail)).rejects.toThrow('rolled back');
      await app.transaction((manager) => insert(manager, 'b'));
      await transactions.transaction((manager) => insert(manager, 'c'));
      expect(called).toEqual([]);
    });

    it('does not fail a commit whose callback throws, and calls the others', async () => {
      const warning = vi.spyOn(process, 'emitWarning').mockReturnValue();
      const called: string[] = [];
      await transactions.transaction(async (manager) => {
        await insert(manager, 'a');
        transactions.afterCommit(manager, () => {
          throw new Error('bad callback');
        });
        transactions.afterCommit(manager, () => called.push('second'));
      });
      expect([called, warning.mock.calls, await orderNames(app)]).toEqual([
        ['second'],
        [[new Error('bad callback')]],
        ['a'],
      ]);
      warning.mockRestore();
    });
  });

  describe('checkManager', () => {
    it('accepts managers in a transaction', async () => {
      await transactions.transaction(async (manager) => expect(() => transactions.checkManager(manager)).not.toThrow());
      await app.transaction(async (manager) => expect(() => transactions.checkManager(manager)).not.toThrow());
    });

    it('refuses a manager without a transaction, and says what to pass', async () => {
      expect(() => transactions.checkManager(app.manager)).toThrow(NoTransactionError);
      expect(() => transactions.checkManager(app.manager)).toThrow(/not `dataSource\.manager`/);
      const runner = app.createQueryRunner();
      expect(() => transactions.checkManager(runner.manager)).toThrow(NoTransactionError);
      await runner.release();
    });

    it('refuses a manager of another database', async () => {
      const elsewhere = await kind.create();
      const other = await openShop(elsewhere.options);
      const refused = other.transaction(async (manager) => transactions.checkManager(manager));
      await expect(refused).rejects.toThrow(ForeignManagerError);
      await other.destroy();
      await elsewhere.drop();
    });
  });

  it('leaves the DataSource as it was when it closes', async () => {
    const source = await openShop(database.options);
    const runner = source.driver.createQueryRunner('master');
    const state = (): unknown[] => [
      Reflect.get(source.driver, 'createQueryRunner'),
      Reflect.get(runner, 'query'),
      Reflect.get(runner, 'startTransaction'),
      source.subscribers.length,
    ];
    const before = state();
    const passing = new TypeOrmTransactions(source, { transactionTimeoutMs: 5_000, clock: new SystemClock() });
    await passing.open();
    await passing.transaction(async (manager) => passing.afterCommit(manager, () => {}));
    await passing.close();
    const after = state();
    expect(after.map((value, index) => value === before[index])).toEqual(before.map(() => true));
    await runner.release();
    await source.destroy();
  });

  if (kind.name !== 'sqlite') {
    const sleep = kind.name === 'postgres' ? 'select pg_sleep(0.01)' : 'do sleep(0.01)';
    it('takes half of the pool at most', async () => {
      let open = 0;
      let most = 0;
      const work = async (manager: EntityManager) => {
        most = Math.max(most, ++open);
        await manager.query(sleep);
        open--;
      };
      await Promise.all(Array.from({ length: 8 }, () => transactions.transaction(work)));
      expect({ most, open }).toEqual({ most: 2, open: 0 });
    });
  }
});
