import { NoTransactionError } from '../../errors/no-transaction.error.js';
import { BEGIN, type EachStatement, type SqliteVerb, type Statement, type StatementResult } from '../verb.js';
import type { NativeDatabase, NativeStatement } from './native-database.js';

const NOTHING: StatementResult = { rows: [], count: 0, counts: [], rowIds: [] };

/** Answered by `run` when the verb wants to write and may not yet. */
export const MUST_WAIT = Symbol('must wait');

/** One native connection: runs whole verbs on it without ever yielding to the event loop. */
export class SqliteConnection {
  private readonly prepared = new Map<string, NativeStatement>();

  constructor(private readonly database: NativeDatabase) {}

  /** A verb in a transaction of its own; `mayWrite` false = it stops, unharmed, where it wants to begin one. */
  run<R>(verb: () => SqliteVerb<R>, mayWrite: boolean): R | typeof MUST_WAIT {
    const steps = verb();
    let began = false;
    try {
      for (let step = steps.next(NOTHING); ;) {
        if (step.done) {
          if (began) this.command('commit');
          return step.value;
        }
        if (step.value !== BEGIN) {
          step = steps.next(this.execute(step.value));
          continue;
        }
        if (!mayWrite) return MUST_WAIT;
        this.command('begin immediate');
        began = true;
        step = steps.next(NOTHING);
      }
    } catch (error) {
      if (began && this.database.inTransaction) this.command('rollback');
      throw error;
    }
  }

  /**
   * A verb in the transaction that the connection is in; if it fails, that transaction is as it was before. It does not
   * wait for another connection's lock: waiting here would block the event loop, and with it perhaps the lock's holder.
   */
  join<R>(verb: () => SqliteVerb<R>): R {
    // A savepoint outside a transaction would be one of its own, and commit.
    if (!this.database.inTransaction) throw new NoTransactionError();
    const patience = Number(this.database.pragma('busy_timeout', { simple: true }));
    this.database.pragma('busy_timeout = 0');
    this.command('savepoint durable_events');
    try {
      const steps = verb();
      let step = steps.next(NOTHING);
      while (!step.done) step = steps.next(step.value === BEGIN ? NOTHING : this.execute(step.value));
      return step.value;
    } catch (error) {
      if (this.database.inTransaction) this.command('rollback to durable_events');
      throw error;
    } finally {
      if (this.database.inTransaction) this.command('release durable_events');
      this.database.pragma(`busy_timeout = ${patience}`);
    }
  }

  private execute(statement: Statement | EachStatement): StatementResult {
    const prepared = this.prepare(statement.sql);
    if ('each' in statement) {
      const counts: number[] = [];
      const rowIds: number[] = [];
      for (const params of statement.each) {
        const { changes, lastInsertRowid } = prepared.run(params);
        counts.push(changes);
        rowIds.push(lastInsertRowid as number);
      }
      return { ...NOTHING, counts, rowIds };
    }
    const params = statement.params.map((value) => (typeof value === 'boolean' ? Number(value) : value));
    if (prepared.reader) return { ...NOTHING, rows: prepared.all(params) };
    return { ...NOTHING, count: prepared.run(params).changes };
  }

  private command(sql: string): void {
    this.prepare(sql).run([]);
  }

  private prepare(sql: string): NativeStatement {
    let statement = this.prepared.get(sql);
    // The application's connection may answer bigints by default.
    if (!statement) this.prepared.set(sql, (statement = this.database.prepare(sql).safeIntegers(false)));
    return statement;
  }
}
