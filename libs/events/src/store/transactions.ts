import type { EntityManager } from 'typeorm';

/** The application's side of the store: transactions that hold business writes together with events and outcomes. */
export interface Transactions {
  /**
   * Runs `work` in a new transaction on the application's DataSource (or, when it has none, on a connection with the
   * store's own options) and commits; any error rolls back and is rethrown as it is. It never joins an open transaction.
   * On SQLite, transactions of one database file take turns within the process, and statements from outside the
   * transaction's async context wait until it has ended.
   * @throws TransactionTimeoutError when it holds a SQLite file longer than `transactionTimeout`.
   */
  transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T>;

  /**
   * Checks that `manager` can carry a publish.
   * @throws NoTransactionError when it has no active transaction; ForeignManagerError when it belongs to another database.
   */
  checkManager(manager: EntityManager): void;

  /**
   * Runs `callback` once after the outermost transaction of `manager` has committed, never if it rolls back. Best effort:
   * a commit that cannot be seen is left to polling. The callback must not throw.
   */
  afterCommit(manager: EntityManager, callback: () => void): void;
}
