import { AsyncLocalStorage } from 'node:async_hooks';
import { QueryFailedError, type DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import { fileMutex, type FileMutex } from '../sqlite/file-mutex.js';
import { beginImmediate, type LockWait } from './begin-immediate.js';
import { ConnectionTurns } from './connection-turns.js';
import { isInMemory } from './database-identity.js';
import {
  BEGIN,
  CONNECTION_METHODS,
  methodsOf,
  sqliteDriver,
  type ConnectionMethod,
  type SqliteDriver,
} from './sqlite-driver.js';
import { SqliteTransaction } from './sqlite-transaction.js';

/**
 * The one connection of a better-sqlite3 DataSource, shared between the application and transactions of this library.
 *
 * Left alone, all queries of a DataSource go through one query runner: a plain `repository.save()` lands in whatever
 * transaction is open, and vanishes with it. Subscribers are not enough to prevent that: TypeORM marks the runner as "in
 * transaction" before any subscriber is asked, so a second transaction becomes a savepoint, and a `save()` does not
 * begin one. Therefore:
 *
 * - a transaction of ours has a query runner of its own (see SqliteTransaction), and `driver.createQueryRunner`, which
 *   every repository call begins with, answers it to code in the transaction's async context, else the shared one;
 * - the four methods of the shared runner that touch the connection wait for their turn (see ConnectionTurns) before
 *   they touch anything; called from inside a transaction of ours they are its runner's;
 * - the application's own transactions begin IMMEDIATE: with a second connection at work on the file (our engine's),
 *   a read followed by a write would otherwise be refused (SQLITE_BUSY_SNAPSHOT), at once and with no way to wait.
 *
 * Two transactions of the application at once on one connection are what they are in TypeORM; only those that had to
 * wait here are let through one at a time.
 */
export class SharedConnection {
  private readonly driver: SqliteDriver;
  private readonly context = new AsyncLocalStorage<SqliteTransaction>();
  private readonly turns: ConnectionTurns;
  private readonly withTurns = new WeakSet<QueryRunner>();
  private readonly undo: (() => void)[] = [];
  private users = 0;

  constructor(
    private readonly dataSource: DataSource,
    private readonly limits: LockWait,
  ) {
    this.driver = sqliteDriver(dataSource);
    const inTransaction = () => this.driver.databaseConnection?.inTransaction ?? false;
    this.turns = new ConnectionTurns(inTransaction, limits.clock, limits.timeoutMs);
  }

  async transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    const endTurn = await this.turns.exclusive();
    // Only now: who waits for the application's statements must not keep the engine off the file.
    const releaseFile = await mutexOf(this.dataSource).acquire();
    const handOn = () => {
      releaseFile();
      endTurn();
    };
    let transaction: SqliteTransaction;
    try {
      transaction = new SqliteTransaction(
        this.dataSource,
        this.driver.createQueryRunner('master'),
        this.limits,
        handOn,
      );
    } catch (error) {
      handOn();
      throw error;
    }
    return this.context.run(transaction, () => transaction.run(work));
  }

  attach(): void {
    if (this.users++ > 0) return;
    const { driver } = this;
    // better-sqlite3 syncs WAL files (which the engine made this one) only at checkpoints unless told otherwise: an event
    // published on this connection would not survive a power cut.
    driver.databaseConnection?.pragma('synchronous = FULL');
    const original = driver.createQueryRunner;
    this.undo.push(() => (driver.createQueryRunner = original));
    driver.createQueryRunner = (mode) => this.inside()?.runner ?? this.giveTurns(original.call(driver, mode));
  }

  detach(): void {
    if (--this.users > 0) return;
    connections.delete(this.dataSource);
    for (const undo of this.undo.splice(0)) undo();
  }

  private inside(): SqliteTransaction | undefined {
    const transaction = this.context.getStore();
    return transaction?.claimsContext ? transaction : undefined;
  }

  /** The shared runner is another one after the application has closed and opened its DataSource. */
  private giveTurns(runner: QueryRunner): QueryRunner {
    if (this.withTurns.has(runner)) return runner;
    this.withTurns.add(runner);
    const methods = methodsOf(runner);
    for (const method of CONNECTION_METHODS) {
      const original = methods[method];
      this.undo.push(() => (methods[method] = original));
      methods[method] = (...args) => {
        const transaction = this.inside();
        return transaction
          ? methodsOf(transaction.runner)[method](...args)
          : this.outside(method, args, () => original.apply(runner, args), runner);
      };
    }
    return runner;
  }

  private outside(
    method: ConnectionMethod,
    [sql]: readonly unknown[],
    run: () => Promise<unknown>,
    runner: QueryRunner,
  ): Promise<unknown> {
    if (method === 'startTransaction') return this.turns.start(run);
    if (method !== 'query') return run();
    if (sql === 'COMMIT' || sql === 'ROLLBACK') return this.turns.end(run);
    const isBegin = sql === BEGIN && !this.driver.options.readonly;
    return this.turns.statement(isBegin ? () => this.begin(runner) : run);
  }

  private async begin(runner: QueryRunner): Promise<void> {
    const { databaseConnection } = this.driver;
    if (!databaseConnection) throw new TypeError('the DataSource is not initialized');
    this.dataSource.logger.logQuery('BEGIN IMMEDIATE', [], runner);
    try {
      await beginImmediate(databaseConnection, this.limits);
    } catch (error) {
      throw new QueryFailedError('BEGIN IMMEDIATE', [], error as Error);
    }
  }
}

const connections = new WeakMap<DataSource, SharedConnection>();

/** Takes turns on the connection of this DataSource; whoever is done with it calls `detach`. */
export function attachTo(dataSource: DataSource, limits: LockWait): SharedConnection {
  let connection = connections.get(dataSource);
  if (!connection) connections.set(dataSource, (connection = new SharedConnection(dataSource, limits)));
  connection.attach();
  return connection;
}

function mutexOf(dataSource: DataSource): FileMutex {
  const { database } = dataSource.options;
  return fileMutex(isInMemory(dataSource.options) ? dataSource : String(database));
}
