import { AsyncLocalStorage } from 'node:async_hooks';
import { QueryRunnerAlreadyReleasedError } from 'typeorm';

const ROLLED_BACK_TO_SAVEPOINT = 'ROLLBACK TO SAVEPOINT';

/** The transaction whose work the running code belongs to. */
const workOf = new AsyncLocalStorage<TransactionStatements>();

/** The transaction whose statement is being run by the running code: what that needs (a subscriber's query) is part of it. */
const statementOf = new AsyncLocalStorage<TransactionStatements>();

/**
 * What is run on the query runner of one transaction. When the work of a transaction fails, others that it has started
 * (the rest of a `Promise.all`) go on: their next statement would overtake the ROLLBACK's answer, run outside any
 * transaction, and stay. So what is under way when the end is asked for comes before it, and no more of the work's gets
 * through. Subscribers of the end are not the work: they may use the runner.
 *
 * Where a failed statement can end the whole transaction on the server, statements take turns: one that was sent behind
 * it would be a transaction of its own, and stay.
 */
export class TransactionStatements {
  private readonly underWay = new Set<Promise<unknown>>();
  private ending = false;
  private hasCommitted = false;
  private firstFailure: unknown;
  private lastTurn: Promise<unknown> = Promise.resolve();
  private lost: { readonly error: unknown } | undefined;

  /** @param isEnd whether an error of a statement may be the end of the transaction. Default: none is. */
  constructor(private readonly isEnd?: (error: unknown) => boolean) {}

  /** The COMMIT was answered: `commitTransaction()` of a query runner only ends the innermost transaction. */
  get committed(): boolean {
    return this.hasCommitted;
  }

  /** Of the first statement that failed, counted from the last savepoint that was gone back to. */
  get failure(): unknown {
    return this.firstFailure;
  }

  /** Runs the transaction's work, up to its end. */
  ofWork<T>(work: () => Promise<T>): Promise<T> {
    return workOf.run(this, work);
  }

  /** @throws QueryRunnerAlreadyReleasedError in what the work has left running. */
  async run<T>(sql: unknown, execute: () => Promise<T>): Promise<T> {
    if (this.ending && workOf.getStore() === this) throw new QueryRunnerAlreadyReleasedError();
    if (sql === 'COMMIT' || sql === 'ROLLBACK') {
      this.ending = true;
      await Promise.allSettled(this.underWay);
    }
    const statement = this.isEnd && sql !== 'ROLLBACK' ? this.inTurn(execute) : execute();
    this.underWay.add(statement);
    try {
      const result = await statement;
      if (sql === 'COMMIT') this.hasCommitted = true;
      if (String(sql).startsWith(ROLLED_BACK_TO_SAVEPOINT)) this.firstFailure = undefined;
      return result;
    } catch (error) {
      this.firstFailure ??= error;
      throw error;
    } finally {
      this.underWay.delete(statement);
    }
  }

  private inTurn<T>(execute: () => Promise<T>): Promise<T> {
    if (statementOf.getStore() === this) return execute();
    const turn = this.lastTurn.then(() => {
      if (this.lost) throw this.lost.error;
      return statementOf.run(this, execute);
    });
    this.lastTurn = turn.catch((error: unknown) => {
      if (this.isEnd?.(error)) this.lost ??= { error };
    });
    return turn;
  }
}
