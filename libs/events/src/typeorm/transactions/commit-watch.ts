import type { DataSource, EntityManager, EntitySubscriberInterface, QueryRunner } from 'typeorm';

/**
 * Notices commits, through a subscriber on the DataSource of each transaction that it is asked to watch. TypeORM reads
 * `dataSource.subscribers` at each event, so it may be added at any time.
 *
 * Rolling back to a savepoint keeps the callbacks of what it undid: they only wake somebody, who then finds nothing.
 */
export class CommitWatch {
  private readonly callbacks = new WeakMap<QueryRunner, (() => void)[]>();
  private readonly watched = new Set<DataSource>();
  private readonly subscriber: EntitySubscriberInterface = {
    // A savepoint's release is told as a commit too, but leaves the transaction active.
    afterTransactionCommit: ({ queryRunner }) => {
      if (!queryRunner.isTransactionActive) for (const callback of this.take(queryRunner)) callSafely(callback);
    },
    afterTransactionRollback: ({ queryRunner }) => {
      if (!queryRunner.isTransactionActive) this.take(queryRunner);
    },
  };

  /** Calls `callback` after the outermost transaction of `manager` has committed; drops it if that rolls back. */
  add({ dataSource, queryRunner }: EntityManager, callback: () => void): void {
    if (!queryRunner) return;
    this.watch(dataSource);
    const waiting = this.callbacks.get(queryRunner);
    if (waiting) waiting.push(callback);
    else this.callbacks.set(queryRunner, [callback]);
  }

  close(): void {
    for (const { subscribers } of this.watched) {
      const index = subscribers.indexOf(this.subscriber);
      if (index >= 0) subscribers.splice(index, 1);
    }
    this.watched.clear();
  }

  /** `initialize()` makes a new list of subscribers, so having been there once does not count. */
  private watch(dataSource: DataSource): void {
    this.watched.add(dataSource);
    if (!dataSource.subscribers.includes(this.subscriber)) dataSource.subscribers.push(this.subscriber);
  }

  private take(queryRunner: QueryRunner): (() => void)[] {
    const callbacks = this.callbacks.get(queryRunner) ?? [];
    this.callbacks.delete(queryRunner);
    return callbacks;
  }
}

/** An error here would fail the caller's commit, which has happened. */
function callSafely(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    process.emitWarning(error as Error);
  }
}
