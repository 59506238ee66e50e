import type { DataSource, DataSourceOptions } from 'typeorm';
import type { Clock } from '../clock/clock.js';
import { DataSourceNotReadyError } from '../errors/data-source-not-ready.error.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { chooseDatabase, ownDataSource } from './app-data-source.js';
import { engineOptions } from './engine-options.js';
import { makeDataSource } from './make-data-source.js';
import { TypeOrmTransactions } from './transactions/typeorm-transactions.js';
import { TypeOrmStore } from './typeorm.store.js';

/**
 * The store on a SQL database: the engine on a connection of its own, transactions on the application's DataSource if it
 * has one on that database, else on a second one of ours. A database in memory has one connection for both.
 * @throws UnsupportedDatabaseError, InvalidOptionError, DataSourceNotReadyError
 */
export function createTypeOrmStore(
  options: Pick<ResolvedEventsOptions, 'tablePrefix' | 'schema' | 'migrate' | 'transactionTimeoutMs'>,
  clock: Clock,
  given: DataSource | DataSourceOptions | undefined,
  appDefault: DataSource | undefined,
): TypeOrmStore {
  const { tablePrefix, schema, migrate, transactionTimeoutMs } = options;
  const choice = chooseDatabase(given, appDefault);
  const { application, connect, inMemory } = choice;
  if (application && !application.isInitialized) throw new DataSourceNotReadyError(choice.description);
  const names = { tablePrefix, schema };
  const existing = inMemory ? makeDataSource(engineOptions(connect, names)) : undefined;
  const transactions = new TypeOrmTransactions(application ?? existing ?? ownDataSource(choice, names), {
    transactionTimeoutMs,
    clock,
    ownsDataSource: application === undefined && existing === undefined,
  });
  return new TypeOrmStore({
    connection: connect,
    tablePrefix,
    schema,
    migrate,
    clock,
    transactions,
    existing,
    description: choice.description,
  });
}
