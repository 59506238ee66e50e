/** An application with a SQLite file and the library's transactions on it, on a clock that stands still; anew for each test. */
import type { DataSource, EntityManager } from 'typeorm';
import { afterEach, beforeEach, expect } from 'vitest';
import { ManualClock } from '../../libs/events/src/testing/manual-clock.js';
import { TypeOrmTransactions } from '../../libs/events/src/typeorm/transactions/typeorm-transactions.js';
import { type OwnDatabase, sqliteKind } from './database-kinds.js';
import { openShop, Order } from './shop.js';

export const TIMEOUT_MS = 5_000;
export const insert = (manager: EntityManager, name: string) => manager.getRepository(Order).insert({ name });

export function sqliteOptions() {
  return { type: 'better-sqlite3' as const, database: String(database.options.database) };
}

/** Something to wait for, told from outside. */
export function signal() {
  let give = () => {};
  const given = new Promise<void>((resolve) => (give = resolve));
  return { given, give };
}

/** Lets everything run that can. */
export async function settle() {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export let database: OwnDatabase;
export let app: DataSource;
export let clock: ManualClock;
export let transactions: TypeOrmTransactions;

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
export async function openOne(name: string) {
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
