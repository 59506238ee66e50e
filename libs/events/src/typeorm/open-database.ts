import { createHash, randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import type { Clock, TimerHandle } from '../clock/clock.js';
import { SchemaBehindError } from '../errors/schema-behind.error.js';
import { describeDatabase } from './describe-database.js';
import { Dialect } from './dialect.js';
import { dialectOf, type DialectType, type SupportedDatabase } from './dialect-type.js';
import type { Engine } from './engine.js';
import { engineOptions } from './engine-options.js';
import { makeDataSource } from './make-data-source.js';
import { migrationSql } from './migrations/event-migrations.js';
import { migrate, pendingMigrations } from './migrations/migrate.js';
import { MysqlEngine } from './mysql/mysql.engine.js';
import { PostgresEngine } from './postgres/postgres.engine.js';
import { WakeChannel } from './postgres/wake-channel.js';
import { nativeDatabase } from './sqlite/native-database.js';
import { Patience } from './sqlite/patience.js';
import { SqliteEngine } from './sqlite/sqlite.engine.js';
import type { TypeOrmStoreOptions } from './typeorm-store.options.js';
import { orUnavailable } from './unavailable.js';
import { type Verbs, verbs } from './verbs.js';

/** How long the connections may take to say goodbye. */
const CLOSE_LIMIT_MS = 2_000;

/** A database that is connected and has the tables, for the engine and for transactions. */
export interface OpenDatabase {
  readonly engine: Engine;
  readonly verbs: Verbs;
  /** Undefined where the database cannot tell. */
  readonly channel: WakeChannel | undefined;
  close(): Promise<void>;
}

/**
 * Connects, and migrates or checks the schema.
 * @throws MissingDriverError, SchemaBehindError, StoreUnavailableError, and whatever the database answers.
 */
export async function openDatabase(options: TypeOrmStoreOptions): Promise<OpenDatabase> {
  const { existing, transactions, clock, random = Math.random } = options;
  const patience = new Patience(clock, random);
  const borrowed = existing?.isInitialized === true;
  const source = borrowed ? existing : await patience.retry(() => connect(options));
  try {
    const engine = await ENGINES[dialectOf(source.options.type as SupportedDatabase)](source, options, patience);
    const dialect = new Dialect(source, options.tablePrefix, schemaOf(source, options));
    await bringUpToDate(engine, dialect, options);
    const channel =
      dialect.type === 'postgres'
        ? new WakeChannel(source, engine, clock, dialect.tables.delivery, randomUUID())
        : undefined;
    await patience.retry(() => transactions.open());
    const end = async () => {
      try {
        await transactions.close();
        await channel?.close();
      } finally {
        if (!borrowed) await source.destroy();
      }
    };
    const close = () => atMost(CLOSE_LIMIT_MS, clock, end());
    return { engine, verbs: verbs(dialect), channel, close };
  } catch (error) {
    if (!borrowed) await source.destroy();
    throw orUnavailable(error);
  }
}

async function connect({ existing, connection, tablePrefix, schema }: TypeOrmStoreOptions): Promise<DataSource> {
  const source = existing ?? makeDataSource(engineOptions(connection, { tablePrefix, schema }));
  try {
    return await source.initialize();
  } catch (error) {
    throw orUnavailable(error);
  }
}

/** A server that no longer answers must not hold up the end of the application: its connections end with the process. */
async function atMost(limitMs: number, clock: Clock, work: Promise<void>): Promise<void> {
  let timer: TimerHandle;
  const late = new Promise<void>((resolve) => (timer = clock.setTimeout(resolve, limitMs)));
  try {
    await Promise.race([work, late]);
  } finally {
    clock.clearTimeout(timer);
  }
}

/** Names are qualified, so that a caller's transaction may have another search path, or another database in use. */
function schemaOf(source: DataSource, { schema }: TypeOrmStoreOptions): string | undefined {
  const driver = source.driver as { searchSchema?: string; database?: string };
  if (source.options.type === 'better-sqlite3') return undefined;
  return schema ?? (source.options.type === 'postgres' ? driver.searchSchema : driver.database);
}

type MakeEngine = (source: DataSource, options: TypeOrmStoreOptions, patience: Patience) => Engine | Promise<Engine>;

const ENGINES: Record<DialectType, MakeEngine> = {
  async postgres(source, { clock, random = Math.random }) {
    const engine = new PostgresEngine(source, clock, random);
    await engine.prepareSessions();
    return engine;
  },
  async mysql(source, { connection, clock, random = Math.random }) {
    const engine = new MysqlEngine(source, clock, random);
    await engine.prepareSessions(describeDatabase(connection));
    return engine;
  },
  'better-sqlite3'(source, _options, patience) {
    const database = nativeDatabase(source);
    // better-sqlite3 is built to sync WAL files only at checkpoints: a commit would not survive a power cut.
    database.pragma('synchronous = FULL');
    database.pragma('busy_timeout = 0');
    return new SqliteEngine(source, patience);
  },
};

async function bringUpToDate(engine: Engine, dialect: Dialect, options: TypeOrmStoreOptions): Promise<void> {
  const migrations = migrationSql(dialect.type, dialect.tablePrefix, dialect.tables);
  if (options.migrate) {
    const run = () => migrate(dialect, migrations);
    await (engine instanceof MysqlEngine ? engine.runAlone(migrationLock(dialect), run) : engine.run(run, Infinity));
    return;
  }
  const pending = await engine.run(() => pendingMigrations(dialect, migrations));
  if (pending.length > 0) throw new SchemaBehindError(pending, describeDatabase(options.connection, options.schema));
}

/** A server has one space of names for locks, of at most 64 characters. */
function migrationLock({ tables }: Dialect): string {
  return `durable_events_${createHash('sha256').update(tables.migration).digest('hex').slice(0, 16)}`;
}
