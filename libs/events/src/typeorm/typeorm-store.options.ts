import type { DataSource, DataSourceOptions } from 'typeorm';
import type { Clock } from '../clock/clock.js';
import type { Transactions } from '../store/transactions.js';

export interface TypeOrmStoreOptions {
  /** How to connect; whatever else these options say is left out (see `engineOptions`). */
  readonly connection: DataSourceOptions;
  readonly tablePrefix: string;
  /** PostgreSQL: the schema of the tables. Undefined: the connection's. */
  readonly schema: string | undefined;
  /** Run pending migrations at `open()`; false: fail if there are any. */
  readonly migrate: boolean;
  readonly clock: Clock;
  /** The application's side of the store; opened and closed with it. */
  readonly transactions: Transactions & { open(): Promise<void>; close(): Promise<void> };
  /** For logs: which database and why this one. Default: which. */
  readonly description?: string;
  /**
   * The only connection of a database that cannot be opened twice (SQLite `:memory:`), made with `engineOptions`; used
   * instead of a DataSource of the engine's own. If it is not initialized yet, `open` does that, and `close` destroys it.
   */
  readonly existing?: DataSource;
  /** Randomness of waiting times, 0 <= n < 1. Default `Math.random`. */
  readonly random?: () => number;
}
