import type { DataSource, EntityManager } from 'typeorm';
import type { Clock } from '../../clock/clock.js';
import { StoreUnavailableError } from '../../errors/store-unavailable.error.js';
import { type Engine, VERB_LIMIT_MS } from '../engine.js';
import { PooledConnections } from '../pooled-connections.js';
import { retryConflicts } from '../retry-conflicts.js';
import { ask } from '../unavailable.js';
import { BEGIN, type EachStatement, type SqliteVerb, type Statement, type StatementResult } from '../verb.js';
import { type NativeClient, nativePool, type PooledClient, survive, TYPES } from './native-pool.js';

const NOTHING: StatementResult = { rows: [], count: 0, counts: [], rowIds: [] };

/**
 * For every connection of the engine. The live table's size swings between nothing and millions, so its statistics are
 * often wrong; each of our statements has an index to go by, and a plan made for an empty table must not be a full scan.
 */
const PLANNING = 'set enable_seqscan = off; set jit = off';
/**
 * The server gives up before we do: what we no longer wait for must not pile up there, waiting for a lock, nor hold its
 * locks until the server notices that the connection is gone.
 */
const LIMITS = `set lock_timeout = ${VERB_LIMIT_MS * 0.8}; set idle_in_transaction_session_timeout = ${VERB_LIMIT_MS}`;
const SESSION = `${PLANNING}; ${LIMITS}; set default_transaction_isolation = 'read committed'`;

/** Serialization failure and deadlock: the database has chosen us to give way. */
const GIVE_WAY = ['40001', '40P01'];

/**
 * Runs verbs on connections of the engine's own pool: a verb of one statement by itself, one that begins in a
 * transaction. Statements with a name are prepared once a connection.
 */
export class PostgresEngine implements Engine {
  private readonly connections: PooledConnections<PooledClient>;

  constructor(
    private readonly source: DataSource,
    private readonly clock: Clock,
    private readonly random: () => number,
  ) {
    this.connections = new PooledConnections(
      {
        acquire: () => ask(() => nativePool(source).connect()),
        release: (client) => client.release(),
        destroy: (client, why) => client.release(why),
      },
      clock,
    );
  }

  /** To be called once the DataSource is initialized: its first connection is there already. */
  async prepareSessions(): Promise<void> {
    const pool = nativePool(this.source);
    pool.on('connect', (client) => {
      survive(client);
      // Queued before the first statement. If it fails, so does that.
      client.query(SESSION).catch(() => undefined);
    });
    const client = await pool.connect();
    survive(client);
    try {
      await client.query(SESSION);
    } finally {
      client.release();
    }
  }

  run<R>(verb: () => SqliteVerb<R>, limitMs: number = VERB_LIMIT_MS): Promise<R> {
    const { clock, random } = this;
    return retryConflicts(() => this.once(verb(), limitMs), { isConflict, clock, random });
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

  isConflict(error: unknown): boolean {
    return isConflict(error);
  }

  private once<R>(steps: SqliteVerb<R>, limitMs: number): Promise<R> {
    return this.connections.lend(limitMs, (client) => perform(client, steps));
  }
}

function isConflict(error: unknown): boolean {
  return GIVE_WAY.includes((error as { code?: string }).code ?? '');
}

async function perform<R>(client: NativeClient, steps: SqliteVerb<R>): Promise<R> {
  let began = false;
  try {
    let step = steps.next(NOTHING);
    while (!step.done) {
      if (step.value === BEGIN) {
        await ask(() => client.query('begin'));
        began = true;
        step = steps.next(NOTHING);
      } else {
        step = steps.next(await execute(client, single(step.value)));
      }
    }
    if (began) await ask(() => client.query('commit'));
    return step.value;
  } catch (error) {
    if (began) await rollBack(client, error);
    throw error;
  }
}

/** @throws StoreUnavailableError when it cannot: such a connection is not to be used again. */
async function rollBack(client: NativeClient, cause: unknown): Promise<void> {
  try {
    await client.query('rollback');
  } catch {
    throw new StoreUnavailableError('its connection broke', { cause });
  }
}

async function execute(client: NativeClient, { sql, params, name }: Statement): Promise<StatementResult> {
  const { rows, rowCount } = await ask(() => client.query({ text: sql, values: params, name, types: TYPES }));
  return { ...NOTHING, rows, count: rowCount ?? 0 };
}

function single(statement: Statement | EachStatement): Statement {
  if ('each' in statement) throw new TypeError('a statement with many sets of parameters is for SQLite only');
  return statement;
}
