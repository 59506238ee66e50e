import type { MigrationInterface, QueryRunner } from 'typeorm';
import { dialectOf, type DialectType, type SupportedDatabase } from '../dialect-type.js';
import { checkIdentifier, tables, type Tables } from '../tables.js';
import { isAlreadyDone } from './already-done.js';
import { dueAtMysql } from './due-at.mysql.js';
import { dueAtPostgres } from './due-at.postgres.js';
import { dueAtSqlite } from './due-at.sqlite.js';
import { initialMysql } from './initial.mysql.js';
import { initialPostgres } from './initial.postgres.js';
import { initialSqlite } from './initial.sqlite.js';
import { invokerChainMysql } from './invoker-chain.mysql.js';
import { invokerChainPostgres } from './invoker-chain.postgres.js';
import { invokerChainSqlite } from './invoker-chain.sqlite.js';
import { lanesMysql } from './lanes.mysql.js';
import { lanesPostgres } from './lanes.postgres.js';
import { lanesSqlite } from './lanes.sqlite.js';
import type { MigrationScript } from './migration-script.js';

/** Which database, and where the tables are. */
export interface EventMigrationOptions {
  readonly type: SupportedDatabase;
  /** Default 'event_'. */
  readonly tablePrefix?: string;
  /** PostgreSQL: the schema of the tables, which must exist; MySQL: their database. Default: the connection's. */
  readonly schema?: string;
}

/** A migration as SQL text. */
export interface EventMigrationSql {
  readonly name: string;
  readonly up: readonly string[];
  readonly down: readonly string[];
}

/**
 * The SQL of all migrations, oldest first, for those who run them by hand (`migrate: false`). Each notes itself in
 * `<tablePrefix>migration`, where a starting node looks; run each in a transaction, in order. (On MySQL a transaction does
 * not hold them together: one that died half-way is run again, where "duplicate column" means that this step was done.)
 * @throws InvalidOptionError when `tablePrefix` or `schema` is no plain identifier.
 */
export function eventMigrationSql(options: EventMigrationOptions): EventMigrationSql[] {
  const { tablePrefix = 'event_', schema } = options;
  const type = dialectOf(options.type);
  if (schema !== undefined) checkIdentifier('schema', schema);
  return migrationSql(type, tablePrefix, tables(type, tablePrefix, schema));
}

/**
 * The migrations as TypeORM migration classes, to be put among a DataSource's `migrations` and run with its own.
 * @throws InvalidOptionError when `tablePrefix` or `schema` is no plain identifier.
 */
export function eventMigrations(options: EventMigrationOptions): (new () => MigrationInterface)[] {
  return eventMigrationSql(options).map(
    ({ name, up, down }) =>
      class implements MigrationInterface {
        readonly name = name;

        async up(runner: QueryRunner): Promise<void> {
          for (const sql of up) await step(runner, sql);
        }

        async down(runner: QueryRunner): Promise<void> {
          for (const sql of down) await step(runner, sql);
        }
      },
  );
}

async function step(runner: QueryRunner, sql: string): Promise<void> {
  try {
    await runner.query(sql);
  } catch (error) {
    if (!isAlreadyDone(error)) throw error;
  }
}

/** Oldest first. */
const SCRIPTS: Record<DialectType, readonly ((tablePrefix: string) => MigrationScript)[]> = {
  postgres: [initialPostgres, invokerChainPostgres, lanesPostgres, dueAtPostgres],
  'better-sqlite3': [initialSqlite, invokerChainSqlite, lanesSqlite, dueAtSqlite],
  mysql: [initialMysql, invokerChainMysql, lanesMysql, dueAtMysql],
};

/** The same for tables that are named already. */
export function migrationSql(type: DialectType, tablePrefix: string, t: Tables): EventMigrationSql[] {
  return SCRIPTS[type].map((script) => {
    const { name, up, down } = script(tablePrefix);
    return {
      name,
      up: [migrationTable(type, t), ...up(t), recordOf(name, t)],
      down: [...down(t), `delete from ${t.migration} where name = '${name}'`],
    };
  });
}

/** As TypeORM makes its own migrations tables, so that its tools can read it. */
function migrationTable(type: DialectType, t: Tables): string {
  const [id, name] = MIGRATION_COLUMNS[type];
  return `create table if not exists ${t.migration} (${id}, timestamp bigint not null, ${name} not null)`;
}

const MIGRATION_COLUMNS: Record<DialectType, readonly [id: string, name: string]> = {
  postgres: ['id serial primary key', 'name varchar'],
  'better-sqlite3': ['id integer primary key autoincrement', 'name varchar'],
  mysql: ['id integer primary key auto_increment', 'name varchar(255)'],
};

function recordOf(name: string, t: Tables): string {
  return `insert into ${t.migration} (timestamp, name) values (${name.slice(-13)}, '${name}')`;
}
