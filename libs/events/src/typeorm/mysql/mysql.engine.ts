import type { DataSource, EntityManager } from 'typeorm';
import type { Clock } from '../../clock/clock.js';
import { type Engine, VERB_LIMIT_MS } from '../engine.js';
import { PooledConnections } from '../pooled-connections.js';
import { retryConflicts } from '../retry-conflicts.js';
import { ask } from '../unavailable.js';
import { BEGIN, type EachStatement, type SqliteVerb, type Statement, type StatementResult } from '../verb.js';
import { isConflict } from './conflicts.js';
import { acquire, nativePool, type PooledConnection, query } from './native-pool.js';
import { checkServerVersion } from './server-version.js';
import { SESSION } from './session.js';
import { toNative, toResult } from './values.js';

const NOTHING: StatementResult = { rows: [], count: 0, counts: [], rowIds: [] };

/** For another node's migration. */
const MIGRATION_WAIT_S = 120;

/**
 * Runs verbs on connections of the engine's own pool: a verb of one statement by itself, one that begins in a
 * transaction.
 */
export class MysqlEngine implements Engine {
  private readonly connections: PooledConnections<PooledConnection>;

  constructor(
    private readonly source: DataSource,
    private readonly clock: Clock,
    private readonly random: () => number,
  ) {
    this.connections = new PooledConnections(
      {
        acquire: () => ask(() => acquire(nativePool(source))),
        // After `destroy` it does nothing.
        release: (connection) => connection.release(),
        destroy: (connection) => connection.destroy(),
      },
      clock,
    );
  }

  /**
   * To be called once the DataSource is initialized: its first connection is there already.
   * @param database for the error when the server is too old.
   * @throws UnsupportedDatabaseError
   */
  async prepareSessions(database: string): Promise<void> {
    const pool = nativePool(this.source);
    pool.on('connection', (connection) => {
      // Whatever it is doing is told; when it is idle the pool forgets it.
      connection.on('error', () => {});
      // Queued before the first statement. If it fails, so does that.
      query(connection, SESSION).catch(() => connection.destroy());
    });
    const connection = await acquire(pool);
    try {
      const [{ version }] = (await query(connection, 'select version() as version')) as { version: string }[];
      checkServerVersion(version, database);
      await query(connection, SESSION);
      connection.release();
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  run<R>(verb: () => SqliteVerb<R>, limitMs: number = VERB_LIMIT_MS): Promise<R> {
    const { clock, random } = this;
    return retryConflicts(() => this.once(verb(), limitMs), { isConflict, clock, random });
  }

  /** Runs a verb, each statement by itself, while no other connection to the server holds a lock of this name. */
  async runAlone<R>(lock: string, verb: () => SqliteVerb<R>): Promise<R> {
    return this.onConnection(Infinity, async (connection) => {
      try {
        await lockServer(connection, lock);
        const result = await drive(verb(), ({ sql, params }) => query(connection, sql, toNative(params)));
        await query(connection, 'do release_lock(?)', [lock]);
        return result;
      } catch (error) {
        // With it goes the lock.
        connection.destroy();
        throw error;
      }
    });
  }

  async runIn<R>(manager: EntityManager, verb: () => SqliteVerb<R>): Promise<R> {
    const runner = manager.queryRunner ?? manager.dataSource.createQueryRunner();
    return drive(verb(), (statement) => {
      const { sql, params, fresh = false } = statement.joined ?? statement;
      return fresh
        ? this.onConnection(VERB_LIMIT_MS, (connection) => query(connection, sql, toNative(params)))
        : runner.query(sql, toNative(params));
    });
  }

  isConflict(error: unknown): boolean {
    return isConflict(error);
  }

  private once<R>(steps: SqliteVerb<R>, limitMs: number): Promise<R> {
    return this.onConnection(limitMs, async (connection) => {
      const transaction = { asked: false, open: false };
      try {
        const result = await drive(
          steps,
          async ({ sql, params }) => {
            if (!transaction.asked || transaction.open) return query(connection, sql, toNative(params));
            // BEGIN travels with the statement after it.
            transaction.open = true;
            return lastOf(await query(connection, `start transaction; ${sql}`, toNative(params)));
          },
          () => (transaction.asked = true),
        );
        if (transaction.open) await query(connection, 'commit');
        return result;
      } catch (error) {
        // A connection that cannot roll back is not to be used again.
        if (transaction.open) await query(connection, 'rollback').catch(() => connection.destroy());
        throw error;
      }
    });
  }

  private onConnection<T>(limitMs: number, work: (connection: PooledConnection) => Promise<T>): Promise<T> {
    return this.connections.lend(limitMs, (connection) => ask(() => work(connection)));
  }
}

/** Runs a verb to its end, which gets the errors of its statements. */
async function drive<R>(
  steps: SqliteVerb<R>,
  run: (statement: Statement) => Promise<unknown>,
  begin: () => void = () => {},
): Promise<R> {
  let step = steps.next(NOTHING);
  while (!step.done) {
    if (step.value === BEGIN) {
      begin();
      step = steps.next(NOTHING);
      continue;
    }
    const statement = single(step.value);
    let result: StatementResult;
    try {
      result = toResult(await run(statement));
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(result);
  }
  return step.value;
}

function lastOf(answers: unknown): unknown {
  return (answers as readonly unknown[]).at(-1);
}

async function lockServer(connection: PooledConnection, name: string): Promise<void> {
  const [row] = (await query(connection, 'select get_lock(?, ?) as held', [name, MIGRATION_WAIT_S])) as {
    held: number | null;
  }[];
  if (row.held !== 1) throw new Error(`the lock "${name}" was not to be had within ${MIGRATION_WAIT_S} s`);
}

function single(statement: Statement | EachStatement): Statement {
  if ('each' in statement) throw new TypeError('a statement with many sets of parameters is for SQLite only');
  return statement;
}
