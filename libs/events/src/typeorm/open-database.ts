import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { SchemaBehindError } from '../errors/schema-behind.error.js';
import { describeDatabase } from './describe-database.js';
import { Dialect } from './dialect.js';
import type { Engine } from './engine.js';
import { engineOptions } from './engine-options.js';
import { makeDataSource } from './make-data-source.js';
import { migrationSql } from './migrations/event-migrations.js';
import { migrate, pendingMigrations } from './migrations/migrate.js';
import { PostgresEngine } from './postgres/postgres.engine.js';
import { WakeChannel } from './postgres/wake-channel.js';
import { nativeDatabase } from './sqlite/native-database.js';
import { Patience } from './sqlite/patience.js';
import { SqliteEngine } from './sqlite/sqlite.engine.js';
import type { TypeOrmStoreOptions } from './typeorm-store.options.js';
import { type Verbs, verbs } from './verbs.js';

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
 * @throws MissingDriverError, SchemaBehindError, and whatever the driver throws.
 */
export async function openDatabase(options: TypeOrmStoreOptions): Promise<OpenDatabase> {
  const { existing, transactions, clock, random = Math.random } = options;
  const patience = new Patience(clock, random);
  const borrowed = existing?.isInitialized === true;
  const source = borrowed ? existing : await patience.retry(() => connect(options));
  try {
    const isPostgres = source.options.type === 'postgres';
    const engine = isPostgres ? await postgres(source, options) : sqlite(source, patience);
    // Names are qualified, so that a caller's transaction may have another search path.
    const schema = isPostgres
      ? (options.schema ?? (source.driver as { searchSchema?: string }).searchSchema)
      : undefined;
    const dialect = new Dialect(source, options.tablePrefix, schema);
    await bringUpToDate(engine, dialect, options);
    const channel = isPostgres ? new WakeChannel(source, clock, dialect.tables.delivery, randomUUID()) : undefined;
    await patience.retry(() => transactions.open());
    const close = async () => {
      try {
        await transactions.close();
        await channel?.close();
      } finally {
        if (!borrowed) await source.destroy();
      }
    };
    return { engine, verbs: verbs(dialect), channel, close };
  } catch (error) {
    if (!borrowed) await source.destroy();
    throw error;
  }
}

function connect({ existing, connection, tablePrefix, schema }: TypeOrmStoreOptions): Promise<DataSource> {
  return (existing ?? makeDataSource(engineOptions(connection, { tablePrefix, schema }))).initialize();
}

async function postgres(source: DataSource, { clock, random = Math.random }: TypeOrmStoreOptions): Promise<Engine> {
  const engine = new PostgresEngine(source, clock, random);
  await engine.prepareSessions();
  return engine;
}

function sqlite(source: DataSource, patience: Patience): Engine {
  const database = nativeDatabase(source);
  // better-sqlite3 is built to sync WAL files only at checkpoints: a commit would not survive a power cut.
  database.pragma('synchronous = FULL');
  database.pragma('busy_timeout = 0');
  return new SqliteEngine(source, patience);
}

async function bringUpToDate(engine: Engine, dialect: Dialect, options: TypeOrmStoreOptions): Promise<void> {
  const migrations = migrationSql(dialect.type, dialect.tablePrefix, dialect.tables);
  if (options.migrate) {
    await engine.run(() => migrate(dialect, migrations));
    return;
  }
  const pending = await engine.run(() => pendingMigrations(dialect, migrations));
  if (pending.length > 0) throw new SchemaBehindError(pending, describeDatabase(options.connection, options.schema));
}
