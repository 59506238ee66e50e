import { QueryRunnerAlreadyReleasedError, type DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import type { TimerHandle } from '../../clock/clock.js';
import { TransactionLeftOpenError } from '../../errors/transaction-left-open.error.js';
import { TransactionTimeoutError } from '../../errors/transaction-timeout.error.js';
import { isBusy, type NativeDatabase } from '../sqlite/native-database.js';
import { beginImmediate, type LockWait } from './begin-immediate.js';
import { BEGIN, CONNECTION_METHODS, methodsOf, sqliteDriver, type ConnectionMethods } from './sqlite-driver.js';
import { TransactionStatements } from './transaction-statements.js';

/**
 * One transaction of this library on a SQLite connection.
 *
 * It has a query runner of its own on the DataSource's only handle. So its transaction state is its own too: TypeORM sees
 * savepoints inside, and the application's runner outside knows nothing of it. The runner reaches the handle through a
 * view of the driver that has it only while the transaction is open: a statement that got stuck on its way (in somebody's
 * `beforeQuery`) fails, instead of running in whatever is open by then.
 *
 *     waiting -> open -> over        committed, rolled back, or rolled back because its time was up
 *
 * Over means that SQLite has ended it; that is when the connection and the file are handed on, before the subscribers hear
 * of it, since they may wait for somebody who waits for the file.
 */
export class SqliteTransaction {
  readonly runner: QueryRunner;
  private state: 'waiting' | 'open' | 'over' = 'waiting';
  /** The transaction's code is running. */
  private working = true;
  /** Our own COMMIT or ROLLBACK is under way. */
  private finishing = false;
  private timer: TimerHandle;
  private readonly statements = new TransactionStatements();
  private readonly timedOut: Promise<never>;
  private timeoutError: TransactionTimeoutError | undefined;
  private rejectTimedOut: (error: TransactionTimeoutError) => void = () => {};

  constructor(
    private readonly dataSource: DataSource,
    /** The runner of everybody outside, with its turns. */
    private readonly shared: QueryRunner,
    private readonly limits: LockWait,
    /** Hands the connection and the file on. */
    private readonly handOn: () => void,
  ) {
    this.timedOut = new Promise((_, reject) => (this.rejectTimedOut = reject));
    this.runner = this.createRunner();
  }

  /**
   * Whether code in the transaction's async context belongs to it. When it was over before its code was (its time was up,
   * or SQLite rolled it back), still so until that code ends.
   */
  get claimsContext(): boolean {
    return this.state !== 'over' || (this.working && (!this.finishing || this.timeoutError !== undefined));
  }

  /** @throws TransactionTimeoutError, at once when the time is up, even if `work` goes on. */
  run<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return Promise.race([this.execute(work), this.timedOut]);
  }

  private async execute<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    try {
      await this.runner.startTransaction();
      const result = await this.statements.ofWork(() => work(this.runner.manager));
      this.finishing = true;
      await this.runner.commitTransaction();
      if (!this.statements.committed) throw new TransactionLeftOpenError();
      return result;
    } catch (error) {
      this.finishing = true;
      await this.rollback();
      throw error;
    } finally {
      this.working = false;
      this.end(new QueryRunnerAlreadyReleasedError());
      Object.assign(this.runner, { isReleased: true });
    }
  }

  private async rollback(): Promise<void> {
    try {
      // Once it is over, the runner's methods are the shared runner's: never call them then.
      while (this.state === 'open' && this.runner.isTransactionActive) await this.runner.rollbackTransaction();
    } catch {
      // The error that made it roll back matters more, and `end` rolls back whatever is left.
    }
  }

  private createRunner(): QueryRunner {
    const driver = sqliteDriver(this.dataSource);
    const view: unknown = Object.create(driver, {
      databaseConnection: { get: () => this.handle() },
      // A cached statement would be run without asking for the handle.
      options: { value: { ...driver.options, statementCacheSize: 0 } },
    });
    const BetterSqlite3QueryRunner = this.shared.constructor as new (driver: unknown) => QueryRunner;
    const runner = new BetterSqlite3QueryRunner(view);
    const { query } = methodsOf(runner);
    methodsOf(runner).query = (...args) => this.query(args, () => query.apply(runner, args));
    // The manager's constructor enters it in the runner.
    this.dataSource.createEntityManager(runner);
    return runner;
  }

  private handle(): NativeDatabase {
    if (this.state === 'over') throw this.timeoutError ?? new QueryRunnerAlreadyReleasedError();
    return sqliteDriver(this.dataSource).databaseConnection as NativeDatabase;
  }

  private async query([sql]: readonly unknown[], run: () => Promise<unknown>): Promise<unknown> {
    if (sql === BEGIN) return this.begin();
    try {
      return await this.statements.run(sql, run);
    } finally {
      if (this.state === 'open' && !this.handle().inTransaction) this.end();
    }
  }

  private async begin(): Promise<void> {
    const { clock, timeoutMs } = this.limits;
    this.dataSource.logger.logQuery('BEGIN IMMEDIATE', [], this.runner);
    try {
      await beginImmediate(this.handle(), this.limits);
    } catch (error) {
      throw isBusy(error) ? new TransactionTimeoutError(timeoutMs, 'lock', { cause: error }) : error;
    }
    this.state = 'open';
    this.timer = clock.setTimeout(() => this.timeOut(), timeoutMs);
  }

  private timeOut(): void {
    this.timeoutError = new TransactionTimeoutError(this.limits.timeoutMs, 'work');
    this.end(this.timeoutError);
    Object.assign(this.runner, { isTransactionActive: false });
    this.rejectTimedOut(this.timeoutError);
    // Whatever subscribers make of it, the caller knows already.
    this.runner.broadcaster.broadcast('AfterTransactionRollback').catch(() => {});
  }

  /**
   * Makes sure that SQLite has ended the transaction, and hands on. `refusal` is what the runner answers from now on; the
   * subscribers of our own COMMIT may still use it, as the application's runner that it would be without us.
   */
  private end(refusal?: Error): void {
    if (this.state !== 'over') {
      const handle = this.handle();
      if (this.state === 'open' && handle.inTransaction) handle.prepare('ROLLBACK').run([]);
      this.state = 'over';
      this.limits.clock.clearTimeout(this.timer);
      this.handOn();
    }
    const methods = methodsOf(this.runner);
    const answer = this.timeoutError ?? refusal ?? (this.finishing ? undefined : new QueryRunnerAlreadyReleasedError());
    for (const method of CONNECTION_METHODS) methods[method] = answer ? refuse(answer) : forward(this.shared, method);
  }
}

function refuse(error: Error): ConnectionMethods[keyof ConnectionMethods] {
  return async () => {
    throw error;
  };
}

function forward(runner: QueryRunner, method: keyof ConnectionMethods): ConnectionMethods[keyof ConnectionMethods] {
  return (...args) => methodsOf(runner)[method](...args);
}
