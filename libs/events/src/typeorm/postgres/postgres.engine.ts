import type { DataSource, EntityManager } from 'typeorm';
import type { Clock } from '../../clock/clock.js';
import type { Engine } from '../engine.js';
import { BEGIN, type EachStatement, type SqliteVerb, type Statement, type StatementResult } from '../verb.js';
import { type NativeClient, nativePool, TYPES } from './native-pool.js';

const NOTHING: StatementResult = { rows: [], count: 0, counts: [], rowIds: [] };

/**
 * For every connection of the engine. The live table's size swings between nothing and millions, so its statistics are
 * often wrong; each of our statements has an index to go by, and a plan made for an empty table must not be a full scan.
 */
const SESSION = `set enable_seqscan = off; set jit = off; set default_transaction_isolation = 'read committed'`;

/** Serialization failure and deadlock: the database has chosen us to give way. */
const GIVE_WAY = ['40001', '40P01'];
const MOST_TRIES = 5;
const LONGEST_WAIT_MS = 20;

/**
 * Runs verbs on connections of the engine's own pool: a verb of one statement by itself, one that begins in a
 * transaction. Statements with a name are prepared once a connection.
 */
export class PostgresEngine implements Engine {
  constructor(
    private readonly source: DataSource,
    private readonly clock: Clock,
    private readonly random: () => number,
  ) {}

  /** To be called once the DataSource is initialized: its first connection is there already. */
  async prepareSessions(): Promise<void> {
    const pool = nativePool(this.source);
    pool.on('connect', (client) => {
      // Queued before the first statement. If it fails, so does that.
      client.query(SESSION).catch(() => undefined);
    });
    const client = await pool.connect();
    try {
      await client.query(SESSION);
    } finally {
      client.release();
    }
  }

  async run<R>(verb: () => SqliteVerb<R>): Promise<R> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.once(verb());
      } catch (error) {
        if (tries === MOST_TRIES || !GIVE_WAY.includes((error as { code?: string }).code ?? '')) throw error;
        const waitMs = Math.ceil(this.random() * LONGEST_WAIT_MS);
        await new Promise<void>((resolve) => this.clock.setTimeout(resolve, waitMs));
      }
    }
  }

  async runIn<R>(manager: EntityManager, verb: () => SqliteVerb<R>): Promise<R> {
    const runner = manager.queryRunner ?? manager.dataSource.createQueryRunner();
    const steps = verb();
    let step = steps.next(NOTHING);
    while (!step.done) {
      if (step.value === BEGIN) {
        step = steps.next(NOTHING);
        continue;
      }
      const { sql, params } = single(step.value);
      const { records, affected } = await runner.query(sql, [...params], true);
      step = steps.next({ ...NOTHING, rows: records as object[], count: affected ?? 0 });
    }
    return step.value;
  }

  private async once<R>(steps: SqliteVerb<R>): Promise<R> {
    const client = await nativePool(this.source).connect();
    let began = false;
    let broken: Error | undefined;
    try {
      let step = steps.next(NOTHING);
      while (!step.done) {
        if (step.value === BEGIN) {
          await client.query('begin');
          began = true;
          step = steps.next(NOTHING);
        } else {
          step = steps.next(await execute(client, single(step.value)));
        }
      }
      if (began) await client.query('commit');
      return step.value;
    } catch (error) {
      // A connection that cannot roll back is not to be used again.
      if (began) await client.query('rollback').catch((failure: Error) => (broken = failure));
      throw error;
    } finally {
      client.release(broken);
    }
  }
}

async function execute(client: NativeClient, { sql, params, name }: Statement): Promise<StatementResult> {
  const { rows, rowCount } = await client.query({ text: sql, values: params, name, types: TYPES });
  return { ...NOTHING, rows, count: rowCount ?? 0 };
}

function single(statement: Statement | EachStatement): Statement {
  if ('each' in statement) throw new TypeError('a statement with many sets of parameters is for SQLite only');
  return statement;
}
