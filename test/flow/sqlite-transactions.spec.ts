/** Scope: how transactions of the library share the one connection of a SQLite DataSource with the application. */
import { DataSource } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import { fileMutex } from '../../libs/events/src/typeorm/sqlite/file-mutex.js';
import { TypeOrmTransactions } from '../../libs/events/src/typeorm/transactions/typeorm-transactions.js';
import { openShop, Order, orderNames } from '../support/shop.js';
import {
  app,
  clock,
  database,
  insert,
  openOne,
  settle,
  signal,
  sqliteOptions,
  TIMEOUT_MS,
  transactions,
} from '../support/sqlite-transactions.js';

describe('while one of ours is open', () => {
  it('statements of the application wait until it has ended, and see what it left', async () => {
    const { rollBack } = await openOne('ours');
    const log: string[] = [];
    const names = orderNames(app).finally(() => log.push('read'));
    const saved = app
      .getRepository(Order)
      .save({ name: 'saved' })
      .finally(() => log.push('saved'));
    await settle();
    expect(log).toEqual([]);
    await rollBack();
    expect(await names).toEqual([]);
    await saved;
    expect([log, await orderNames(app)]).toEqual([['read', 'saved'], ['saved']]);
  });

  it('transactions of the application wait, and then each is one of its own', async () => {
    const { rollBack } = await openOne('ours');
    const failing = app.transaction(async (manager) => {
      await insert(manager, 'first');
      await new Promise((resolve) => setTimeout(resolve, 5));
      throw new Error('first fails');
    });
    const going = app.transaction((manager) => insert(manager, 'second'));
    const saved = app.getRepository(Order).save([{ name: 'third' }, { name: 'fourth' }]);
    await settle();
    await rollBack();
    const results = await Promise.allSettled([failing, going, saved]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(await orderNames(app)).toEqual(['fourth', 'second', 'third']);
  });

  it('calls from inside belong to it: repositories, query runners made outside, new transactions', async () => {
    const outside = app.createQueryRunner();
    const failed = transactions.transaction(async () => {
      await app.getRepository(Order).save({ name: 'repository' });
      await app.transaction((manager) => insert(manager, 'app.transaction'));
      await app.manager.save(Order, [{ name: 'manager' }]);
      await outside.startTransaction();
      await outside.query(`insert into "order" ("name") values ('runner')`);
      await outside.commitTransaction();
      expect(() => transactions.checkManager(app.createQueryRunner().manager)).not.toThrow();
      expect(await orderNames(app)).toEqual(['app.transaction', 'manager', 'repository', 'runner']);
      throw new Error('undo all');
    });
    await expect(failed).rejects.toThrow('undo all');
    expect(await orderNames(app)).toEqual([]);
  });

  it('what the work did not wait for is committed with it, and nothing slips out behind', async () => {
    const late = signal();
    let afterwards: Promise<unknown> | undefined;
    await transactions.transaction(async (manager) => {
      void insert(manager, 'not awaited');
      afterwards = late.given.then(() => insert(manager, 'too late'));
    });
    late.give();
    await expect(afterwards).rejects.toThrow(/released/);
    expect(await orderNames(app)).toEqual(['not awaited']);
  });

  it('code that it started and that goes on after it is outside again', async () => {
    const ended = signal();
    let afterwards: Promise<unknown> | undefined;
    await transactions.transaction(async (manager) => {
      await insert(manager, 'a');
      afterwards = ended.given.then(() => app.getRepository(Order).save({ name: 'b' }));
    });
    ended.give();
    await afterwards;
    expect(await orderNames(app)).toEqual(['a', 'b']);
  });
});

describe("while the application's is open", () => {
  it('ours waits for its end, and shares nothing with it', async () => {
    const go = signal();
    const theirs = app.transaction(async (manager) => {
      await insert(manager, 'theirs');
      await go.given;
      await app.getRepository(Order).save({ name: 'also theirs' });
      throw new Error('rolled back');
    });
    await settle();
    const ours = transactions.transaction((manager) => insert(manager, 'ours'));
    await settle();
    go.give();
    await expect(theirs).rejects.toThrow('rolled back');
    await ours;
    expect(await orderNames(app)).toEqual(['ours']);
  });

  it('it may read and then write, although somebody else wants to commit in between', async () => {
    const engine = await new DataSource({ ...sqliteOptions(), timeout: 0 }).initialize();
    await app.transaction(async (manager) => {
      const count = await manager.getRepository(Order).count();
      await expect(engine.query(`insert into "order" ("name") values ('engine')`)).rejects.toThrow(/locked/);
      await insert(manager, `after ${count}`);
    });
    await engine.query(`insert into "order" ("name") values ('engine')`);
    await engine.destroy();
    expect(await orderNames(app)).toEqual(['after 0', 'engine']);
  });

  it('ours waits for a statement that a slow subscriber keeps on its way', async () => {
    const go = signal();
    const slow = { beforeQuery: ({ query }: { query: string }) => (/slow/.test(query) ? go.given : undefined) };
    app.subscribers.push(slow as never);
    const statement = app.query(`insert into "order" ("name") values ('slow')`);
    const ours = transactions.transaction(async (manager) => {
      await insert(manager, 'ours');
      throw new Error('rolled back');
    });
    await settle();
    go.give();
    await statement;
    await expect(ours).rejects.toThrow('rolled back');
    expect(await orderNames(app)).toEqual(['slow']);
  });

  it('a subscriber that runs a statement after each one does not wait for itself', async () => {
    const audit = {
      afterQuery: ({ query }: { query: string }) =>
        query.startsWith('INSERT') ? app.query('select count(*) from "order"') : undefined,
    };
    app.subscribers.push(audit as never);
    const go = signal();
    const slow = { beforeQuery: ({ query }: { query: string }) => (query.startsWith('INSERT') ? go.given : undefined) };
    app.subscribers.push(slow as never);
    const saved = app.getRepository(Order).insert({ name: 'saved' });
    await settle();
    const ours = transactions.transaction((manager) => insert(manager, 'ours'));
    go.give();
    await Promise.all([saved, ours]);
    expect(await orderNames(app)).toEqual(['ours', 'saved']);
  });
});

describe('the file', () => {
  it("is the engine's again as soon as SQLite has committed, before subscribers of the commit have ended", async () => {
    const mutex = fileMutex(String(database.options.database));
    const log: string[] = [];
    const subscriber = {
      async afterTransactionCommit() {
        await mutex.idle();
        log.push('subscriber has waited for the engine');
      },
    };
    app.subscribers.push(subscriber);
    const { commit } = await openOne('a');
    void mutex.run(() => log.push('verb'));
    await settle();
    expect(log).toEqual([]);
    await commit();
    expect(log).toEqual(['verb', 'subscriber has waited for the engine']);
  });

  it('is taken in turns with transactions on another DataSource of the process', async () => {
    const secondApp = await openShop(database.options);
    const second = new TypeOrmTransactions(secondApp, { transactionTimeoutMs: TIMEOUT_MS, clock: new SystemClock() });
    await second.open();
    const { commit } = await openOne('first');
    const log: string[] = [];
    const other = second.transaction((manager) => insert(manager, 'second')).then(() => log.push('second'));
    await settle();
    expect(log).toEqual([]);
    await commit();
    await other;
    await second.close();
    await secondApp.destroy();
    expect(await orderNames(app)).toEqual(['first', 'second']);
  });
});

it('a database in memory has one connection: verbs of the engine wait for an open transaction', async () => {
  const memory = await openShop({ type: 'better-sqlite3', database: ':memory:' });
  const inMemory = new TypeOrmTransactions(memory, { transactionTimeoutMs: TIMEOUT_MS, clock });
  await inMemory.open();
  const log: string[] = [];
  await inMemory.transaction(async (manager) => {
    void fileMutex(memory).run(() => log.push('verb'));
    await insert(manager, 'a');
    await settle();
    log.push('work');
  });
  expect([log, await orderNames(memory)]).toEqual([['work', 'verb'], ['a']]);
  await inMemory.close();
  await memory.destroy();
});
