/** Stores that are yet to be opened, and databases for them; both go after each test. */
import { afterEach } from 'vitest';
import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import { TypeOrmStore } from '../../libs/events/src/typeorm/typeorm.store.js';
import type { MakeDatabase, TestDatabase } from './databases.js';

/** What is to be done after the test, the last first. */
export const cleaning: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleaning.splice(0).toReversed()) await clean();
});

export async function fresh(make: MakeDatabase): Promise<TestDatabase> {
  const database = await make();
  cleaning.push(database.remove);
  return database;
}

export const noTransactions = {
  open: () => Promise.resolve(),
  close: () => Promise.resolve(),
  transaction: () => Promise.reject(new Error('not for this')),
  checkManager: () => {},
  afterCommit: () => {},
};

export function storeOn(
  { connection, schema }: Pick<TestDatabase, 'connection' | 'schema'>,
  migrate = true,
): TypeOrmStore {
  const clock = new SystemClock();
  const store = new TypeOrmStore({
    connection,
    tablePrefix: 'event_',
    schema,
    migrate,
    clock,
    transactions: noTransactions,
  });
  cleaning.push(() => store.close());
  return store;
}
