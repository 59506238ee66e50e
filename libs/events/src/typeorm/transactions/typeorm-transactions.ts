import { DataSource, type DataSourceOptions, type EntityManager, type QueryRunner } from 'typeorm';
import type { Clock } from '../../clock/clock.js';
import { ForeignManagerError } from '../../errors/foreign-manager.error.js';
import { NoTransactionError } from '../../errors/no-transaction.error.js';
import { TransactionLeftOpenError } from '../../errors/transaction-left-open.error.js';
import { StoreUnavailableError } from '../../errors/store-unavailable.error.js';
import type { Transactions } from '../../store/transactions.js';
import { describeDatabase } from '../describe-database.js';
import { isConflict } from '../mysql/conflicts.js';
import { begin } from './begin.js';
import { type NativePool, nativePool, survive } from '../postgres/native-pool.js';
import { CommitWatch } from './commit-watch.js';
import { isSameDatabase } from './database-identity.js';
import { Semaphore } from './semaphore.js';
import { attachTo, type SharedConnection } from './shared-connection.js';
import { methodsOf } from './sqlite-driver.js';
import { TransactionStatements } from './transaction-statements.js';

export interface TransactionsOptions {
  /** How long one may hold a SQLite file, and how long it waits for another process that does. Milliseconds. */
  readonly transactionTimeoutMs: number;
  readonly clock: Clock;
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
  /** On a server: how many run at once. Default: half of the DataSource's pool, at least 1. */
  readonly maxConcurrent?: number;
  /** Whether the DataSource is the library's own: `open` initializes it and `close` destroys it. Default false. */
  readonly ownsDataSource?: boolean;
}

/** TypeORM's default is that of `pg` and of `mysql2`. */
const DEFAULT_POOL_SIZE = 10;
/** Enough to get past a whole pool, half of which is tried at a time. */
const MOST_TRIES = 3;

/** Transactions on a DataSource of TypeORM: the application's, or one of our own when the application has none. */
export class TypeOrmTransactions implements Transactions {
  private readonly commits = new CommitWatch();
  private readonly permits: Semaphore;
  private sqlite: SharedConnection | undefined;

  constructor(
    readonly dataSource: DataSource,
    private readonly options: TransactionsOptions,
  ) {
    this.permits = new Semaphore(options.maxConcurrent ?? halfThePool(dataSource.options));
  }

  /** Must be awaited before anything else. */
  async open(): Promise<void> {
    const { clock, random = Math.random, transactionTimeoutMs, ownsDataSource } = this.options;
    if (ownsDataSource && !this.dataSource.isInitialized) await this.dataSource.initialize();
    if (this.dataSource.options.type === 'better-sqlite3') {
      this.sqlite ??= attachTo(this.dataSource, { clock, random, timeoutMs: transactionTimeoutMs });
    }
    // A server that ends a connection just made is heard before TypeORM listens to that one.
    this.pool?.on('connect', survive);
  }

  /** Leaves the application's DataSource as it was. Transactions must have ended. */
  async close(): Promise<void> {
    this.commits.close();
    this.sqlite?.detach();
    this.sqlite = undefined;
    this.pool?.off('connect', survive);
    if (this.options.ownsDataSource && this.dataSource.isInitialized) await this.dataSource.destroy();
  }

  private get pool(): NativePool | undefined {
    const { options, isInitialized } = this.dataSource;
    return options.type === 'postgres' && isInitialized ? nativePool(this.dataSource) : undefined;
  }

  transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    if (this.sqlite) return this.sqlite.transaction(work);
    return this.permits.run(() => this.pooled(work));
  }

  checkManager(manager: EntityManager): void {
    if (!manager.queryRunner?.isTransactionActive) throw new NoTransactionError();
    const [ours, theirs] = [this.dataSource, manager.dataSource];
    if (ours === theirs || isSameDatabase(ours.options, theirs.options)) return;
    throw new ForeignManagerError(describeDatabase(ours.options), describeDatabase(theirs.options));
  }

  afterCommit(manager: EntityManager, callback: () => void): void {
    this.commits.add(manager, callback);
  }

  private async pooled<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    const { runner, statements } = await this.begun();
    try {
      const result = await statements.ofWork(() => work(runner.manager));
      if (statements.failure !== undefined) await checkGoesOn(runner, statements.failure);
      await runner.commitTransaction();
      if (!statements.committed) throw new TransactionLeftOpenError();
      return result;
    } catch (error) {
      await rollBack(runner);
      throw error;
    } finally {
      await runner.release();
    }
  }

  /** After an outage the pool may have several connections that lead nowhere. */
  private async begun(): Promise<{ runner: QueryRunner; statements: TransactionStatements }> {
    for (let tries = 1; ; tries++) {
      const runner = this.dataSource.createQueryRunner();
      const statements = new TransactionStatements(isMysql(this.dataSource.options) ? isConflict : undefined);
      const { query } = methodsOf(runner);
      methodsOf(runner).query = (...args) => statements.run(args[0], () => query.apply(runner, args));
      try {
        await begin(runner, this.options.clock);
        return { runner, statements };
      } catch (error) {
        await rollBack(runner);
        await runner.release();
        if (!(error instanceof StoreUnavailableError) || tries === MOST_TRIES) throw error;
      }
    }
  }
}

/**
 * PostgreSQL answers the COMMIT of a transaction in which a statement has failed with a silent rollback: work that has
 * swallowed the error would be told that it was committed.
 * @throws `failure`, if the transaction cannot go on after it.
 */
async function checkGoesOn(runner: QueryRunner, failure: unknown): Promise<void> {
  try {
    await runner.query('SELECT 1');
  } catch {
    throw failure;
  }
}

/** A connection must not go back to its pool with a transaction open, whatever was nested or subscribers made of it. */
async function rollBack(runner: QueryRunner): Promise<void> {
  try {
    while (runner.isTransactionActive) await runner.rollbackTransaction();
  } catch {
    // The server may have ended it already, or be gone; the error that made it roll back says why.
    if (runner.isTransactionActive) await runner.query('ROLLBACK').catch(() => {});
  }
}

function isMysql({ type }: DataSourceOptions): boolean {
  return type === 'mysql' || type === 'mariadb';
}

/** The other half is left to the application: its requests must not wait for handlers. */
function halfThePool(options: DataSourceOptions): number {
  const { max, connectionLimit } = (options.extra ?? {}) as { max?: unknown; connectionLimit?: unknown };
  const size = Number((isMysql(options) ? connectionLimit : max) ?? options.poolSize ?? DEFAULT_POOL_SIZE);
  return Math.max(1, Math.floor(size / 2));
}
