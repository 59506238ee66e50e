/** Scope: how transactions of the library share the one connection of a SQLite DataSource with the application. */
import { DataSource, type EntityManager } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import { NoTransactionError } from '../../libs/events/src/errors/no-transaction.error.js';
import { TransactionTimeoutError } from '../../libs/events/src/errors/transaction-timeout.error.js';
import { ManualClock } from '../../libs/events/src/testing/manual-clock.js';
import { event, T0 } from '../../libs/events/src/testing/store-contract/scene.js';
import { fileMutex } from '../../libs/events/src/typeorm/sqlite/file-mutex.js';
import { TypeOrmTransactions } from '../../libs/events/src/typeorm/transactions/typeorm-transactions.js';
import { TypeOrmStore } from '../../libs/events/src/typeorm/typeorm.store.js';
import { sqliteKind, type OwnDatabase } from '../support/database-kinds.js';
import { openShop, Order, orderNames } from '../support/shop.js';

const TIMEOUT_MS = 5_000;
const insert = (manager: EntityManager, name: string) => manager.getRepository(Order).insert({ name });

function sqliteOptions() {
  return { type: 'better-sqlite3' as const, database: String(database.options.database) };
}

/** Something to wait for, told from outside. */
function signal() {
  let give = () => {};
  const given = new Promise<void>((resolve) => (give = resolve));
  return { given, give };
}

/** Lets everything run that can. */
async function settle() {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

let database: OwnDatabase;
let app: DataSource;
let clock: ManualClock;
let transactions: TypeOrmTransactions;

beforeEach(async () => {
  database = await sqliteKind.create();
  app = await openShop(database.options);
  clock = new ManualClock();
  transactions = new TypeOrmTransactions(app, { transactionTimeoutMs: TIMEOUT_MS, clock, random: () => 0.5 });
  await transactions.open();
});

afterEach(async () => {
  await transactions.close();
  await app.destroy();
  await database.drop();
  // Every timer has been taken back.
  expect(clock.nextTimerInMs).toBeUndefined();
});

/** A transaction of ours that has inserted `name` and goes on, or fails, when told. */
async function openOne(name: string) {
  const opened = signal();
  const go = signal();
  let error: Error | undefined;
  const done = transactions.transaction(async (manager) => {
    await insert(manager, name);
    opened.give();
    await go.given;
    if (error) throw error;
  });
  await opened.given;
  return {
    commit: () => (go.give(), done),
    rollBack: () => ((error = new Error('rolled back')), go.give(), done.catch((caught: unknown) => caught)),
  };
}

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

describe('transactionTimeout', () => {
  it('rolls back and rejects at once; what its code does later fails, and nobody else waits', async () => {
    const go = signal();
    const later: unknown[] = [];
    const opened = signal();
    const committed: string[] = [];
    const slow = transactions.transaction(async (manager) => {
      transactions.afterCommit(manager, () => committed.push('no'));
      await insert(manager, 'slow');
      opened.give();
      await go.given;
      const note = (error: unknown) => later.push(error);
      await insert(manager, 'by manager').catch(note);
      await app.getRepository(Order).save({ name: 'by repository' }).catch(note);
      await app.transaction((other) => insert(other, 'by transaction')).catch(note);
      return 'never seen';
    });
    await opened.given;
    const waiting = transactions.transaction((manager) => insert(manager, 'waiting'));
    const saved = app.getRepository(Order).save({ name: 'saved' });
    const rejection = slow.catch((error: unknown) => error);
    await clock.advance(TIMEOUT_MS - 1);
    expect(app.driver).toHaveProperty('databaseConnection.inTransaction', true);
    await clock.advance(1);
    expect(await rejection).toEqual(new TransactionTimeoutError(TIMEOUT_MS, 'work'));
    await Promise.all([waiting, saved]);
    go.give();
    await settle();
    expect(later).toEqual(Array.from({ length: 3 }, () => new TransactionTimeoutError(TIMEOUT_MS, 'work')));
    expect([await orderNames(app), committed]).toEqual([['saved', 'waiting'], []]);
  });

  it('keeps a slow subscriber of the commit out, too, when the time is up', async () => {
    const asked = signal();
    const go = signal();
    let late: Promise<unknown> | undefined;
    const slow = {
      async beforeTransactionCommit() {
        app.subscribers.splice(app.subscribers.indexOf(slow), 1);
        asked.give();
        await go.given;
        late = app.getRepository(Order).save({ name: 'by the subscriber' });
        await late;
      },
    };
    app.subscribers.push(slow);
    const ours = transactions.transaction((manager) => insert(manager, 'ours'));
    const rejection = ours.catch((error: unknown) => error);
    await asked.given;
    await clock.advance(TIMEOUT_MS);
    expect(await rejection).toEqual(new TransactionTimeoutError(TIMEOUT_MS, 'work'));
    go.give();
    await settle();
    await expect(late).rejects.toMatchObject({ code: 'EVENTS_TRANSACTION_TIMEOUT' });
    expect(await orderNames(app)).toEqual([]);
  });

  it('counts from BEGIN, so a queue of slow ones does not time out', async () => {
    const first = await openOne('first');
    const second = openOne('second');
    await clock.advance(TIMEOUT_MS - 1);
    await first.commit();
    const { commit } = await second;
    await clock.advance(TIMEOUT_MS - 1);
    await commit();
    expect(await orderNames(app)).toEqual(['first', 'second']);
  });

  it('keeps a statement out that is still on its way when the time is up', async () => {
    const go = signal();
    const slow = {
      beforeQuery: ({ parameters = [] }: { parameters?: unknown[] }) =>
        parameters.includes('slow') ? go.given : undefined,
    };
    app.subscribers.push(slow as never);
    let statement: Promise<unknown> | undefined;
    const ours = transactions.transaction(async (manager) => {
      await insert(manager, 'the same statement, prepared already');
      statement = insert(manager, 'slow');
      await statement;
    });
    const rejection = ours.catch((error: unknown) => error);
    await settle();
    await clock.advance(TIMEOUT_MS);
    expect(await rejection).toEqual(new TransactionTimeoutError(TIMEOUT_MS, 'work'));
    const next = await openOne('next');
    go.give();
    await expect(statement).rejects.toMatchObject({ code: 'EVENTS_TRANSACTION_TIMEOUT' });
    await next.commit();
    expect(await orderNames(app)).toEqual(['next']);
  });
});

it('what the store writes through a manager whose time was up is refused, and lands in nobody else’s transaction', async () => {
  const store = new TypeOrmStore({
    connection: database.options,
    tablePrefix: 'event_',
    schema: undefined,
    migrate: true,
    clock: new SystemClock(),
    transactions: new TypeOrmTransactions(app, { transactionTimeoutMs: TIMEOUT_MS, clock }),
  });
  await store.open();
  const { version } = await store.loadRegistry();
  const append = (id: string, manager: EntityManager) =>
    store.append({ events: [event(id)], registryVersion: version, now: T0 }, manager);
  const go = signal();
  const opened = signal();
  let late: Promise<unknown> | undefined;
  const slow = transactions.transaction(async (manager) => {
    await append('in time', manager);
    opened.give();
    late = go.given.then(() => append('late', manager));
    await late;
  });
  const rejection = slow.catch((error: unknown) => error);
  await opened.given;
  await clock.advance(TIMEOUT_MS);
  expect(await rejection).toEqual(new TransactionTimeoutError(TIMEOUT_MS, 'work'));
  const next = await openOne('next');
  go.give();
  await expect(late).rejects.toEqual(new TransactionTimeoutError(TIMEOUT_MS, 'work'));
  await next.commit();
  await expect(append('without', app.createQueryRunner().manager)).rejects.toThrow(NoTransactionError);
  expect([await store.findEvent('in time'), await store.findEvent('late'), await store.findEvent('without')]).toEqual([
    null,
    null,
    null,
  ]);
  await store.close();
});

describe('when another connection has the lock', () => {
  let other: DataSource;
  beforeEach(async () => {
    other = await new DataSource(database.options).initialize();
    await other.query('begin immediate');
  });
  afterEach(() => other.destroy());

  it('waits for it without blocking, and leaves the busy timeout as it was', async () => {
    const ours = transactions.transaction((manager) => insert(manager, 'ours'));
    const theirs = app.transaction((manager) => insert(manager, 'theirs'));
    const before = performance.now();
    await clock.advance(1_000);
    expect(performance.now() - before).toBeLessThan(1_000);
    await other.query('commit');
    await clock.advance(100);
    await Promise.all([ours, theirs]);
    expect([await orderNames(app), await app.query('pragma busy_timeout')]).toEqual([
      ['ours', 'theirs'],
      [{ timeout: 5_000 }],
    ]);
  });

  it('gives up after transactionTimeout, and lets the next one try', async () => {
    const ours = transactions.transaction((manager) => insert(manager, 'ours'));
    const rejection = ours.catch((error: unknown) => error);
    await clock.advance(TIMEOUT_MS + 100);
    expect(await rejection).toEqual(new TransactionTimeoutError(TIMEOUT_MS, 'lock'));
    await other.query('commit');
    await transactions.transaction((manager) => insert(manager, 'next'));
    expect(await orderNames(app)).toEqual(['next']);
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
