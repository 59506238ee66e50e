import { DataSource, type DataSourceOptions } from 'typeorm';
import type { Clock } from '../clock/clock.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { TypeOrmStore } from './typeorm.store.js';
import type { Transactions } from '../store/transactions.js';

export function createTypeOrmStore(
  options: ResolvedEventsOptions,
  clock: Clock,
  given?: DataSource | DataSourceOptions,
): TypeOrmStore {
  const connection =
    given instanceof DataSource
      ? given.options
      : (given ?? { type: 'better-sqlite3' as const, database: 'events.sqlite' });
  const transactions = {} as Transactions;
  return new TypeOrmStore({
    connection,
    tablePrefix: options.tablePrefix,
    schema: options.schema,
    migrate: options.migrate,
    clock,
    transactions,
  });
}
