import type { MigrationInterface, QueryRunner } from 'typeorm';
import type { SupportedDatabase } from '../engine-options.js';
import { checkIdentifier, tables, type Tables } from '../tables.js';
import { initialPostgres } from './initial.postgres.js';
import { initialSqlite } from './initial.sqlite.js';
import type { MigrationScript } from './migration-script.js';

/** Which database, and where the tables are. */
export interface EventMigrationOptions {
  readonly type: SupportedDatabase;
  /** Default 'event_'. */
  readonly tablePrefix?: string;
  /** PostgreSQL: the schema of the tables, which must exist. Default: the connection's. */
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
 * `<tablePrefix>migration`, where a starting node looks; run each in a transaction, in order.
 * @throws InvalidOptionError when `tablePrefix` or `schema` is no plain identifier.
 */
export function eventMigrationSql(options: EventMigrationOptions): EventMigrationSql[] {
  const { type, tablePrefix = 'event_', schema } = options;
  if (schema !== undefined) checkIdentifier('schema', schema);
  return migrationSql(type, tablePrefix, tables(tablePrefix, schema));
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
          for (const sql of up) await runner.query(sql);
        }

        async down(runner: QueryRunner): Promise<void> {
          for (const sql of down) await runner.query(sql);
        }
      },
  );
}

/** The same for tables that are named already. */
export function migrationSql(type: SupportedDatabase, tablePrefix: string, t: Tables): EventMigrationSql[] {
  const initial = type === 'postgres' ? initialPostgres : initialSqlite;
  const scripts: MigrationScript[] = [initial(tablePrefix)];
  return scripts.map(({ name, up, down }) => ({
    name,
    up: [migrationTable(type, t), ...up(t), recordOf(name, t)],
    down: [...down(t), `delete from ${t.migration} where name = '${name}'`],
  }));
}

/** As TypeORM makes its own migrations tables, so that its tools can read it. */
function migrationTable(type: SupportedDatabase, t: Tables): string {
  const id = type === 'postgres' ? 'id serial primary key' : `id integer primary key autoincrement`;
  return `create table if not exists ${t.migration} (${id}, timestamp bigint not null, name varchar not null)`;
}

function recordOf(name: string, t: Tables): string {
  return `insert into ${t.migration} (timestamp, name) values (${name.slice(-13)}, '${name}')`;
}
