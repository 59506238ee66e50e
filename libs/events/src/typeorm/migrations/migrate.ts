import type { Dialect } from '../dialect.js';
import { quote } from '../tables.js';
import { BEGIN, execute, query, type Verb } from '../verb.js';
import { isAlreadyDone } from './already-done.js';
import type { EventMigrationSql } from './event-migrations.js';

/** Names of the migrations that the database has not had yet. */
export function* pendingMigrations(d: Dialect, migrations: readonly EventMigrationSql[]): Verb<string[]> {
  const { migration } = d.tables;
  const [found] = yield* findTable(d, `${d.tablePrefix}migration`);
  const had = new Set<string>();
  if (found) for (const { name } of yield* query<{ name: string }>(`select name from ${migration}`)) had.add(name);
  return migrations.map(({ name }) => name).filter((name) => !had.has(name));
}

function findTable(d: Dialect, name: string): Verb<object[]> {
  if (d.type === 'postgres') return query(`select 1 where to_regclass($1) is not null`, [d.tables.migration]);
  return d.type === 'better-sqlite3'
    ? query(`select 1 from sqlite_master where type = 'table' and name = ?`, [name])
    : query(`select 1 from information_schema.tables where table_schema = database() and table_name = '${name}'`);
}

/**
 * Runs what is pending, in one transaction, and answers the names. Nodes that start together take turns: on PostgreSQL at
 * an advisory lock, on SQLite at the write lock, on MySQL at a lock that the caller must hold, since each statement
 * commits; whoever comes later finds nothing to do.
 */
export function* migrate(d: Dialect, migrations: readonly EventMigrationSql[]): Verb<string[]> {
  if ((yield* pendingMigrations(d, migrations)).length === 0) return [];
  yield BEGIN;
  if (d.type === 'postgres') {
    // Another node's migration may take its time.
    yield* execute('set local lock_timeout = 0');
    yield* query(`select pg_advisory_xact_lock(hashtextextended($1, 0))`, [`durable events ${d.tables.migration}`]);
    if (d.schema !== undefined) yield* createSchema(d.schema);
  }
  const pending = yield* pendingMigrations(d, migrations);
  for (const { name, up } of migrations) {
    if (pending.includes(name)) for (const sql of up) yield* step(sql);
  }
  return pending;
}

function* step(sql: string): Verb<void> {
  try {
    yield* execute(sql);
  } catch (error) {
    if (!isAlreadyDone(error)) throw error;
  }
}

/** Asks first: to create a schema takes a right that many have only once, even if it is there. */
function* createSchema(schema: string): Verb<void> {
  const [found] = yield* query(`select 1 where to_regnamespace($1) is not null`, [quote(schema)]);
  if (!found) yield* execute(`create schema ${quote(schema)}`);
}
