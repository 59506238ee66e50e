/** Scope: transactions of the library on SQLite that take too long, and those that wait for another connection's lock. */
import { DataSource, type EntityManager } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import { NoTransactionError } from '../../libs/events/src/errors/no-transaction.error.js';
import { TransactionTimeoutError } from '../../libs/events/src/errors/transaction-timeout.error.js';
import { event, T0 } from '../../libs/events/src/testing/store-contract/scene.js';
import { TypeOrmTransactions } from '../../libs/events/src/typeorm/transactions/typeorm-transactions.js';
import { TypeOrmStore } from '../../libs/events/src/typeorm/typeorm.store.js';
import { Order, orderNames } from '../support/shop.js';
import {
  app,
  clock,
  database,
  insert,
  openOne,
  settle,
  signal,
  TIMEOUT_MS,
  transactions,
} from '../support/sqlite-transactions.js';

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
