/** Databases for tests: each call makes a fresh one that nobody else knows, and says how to remove it. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { databaseKinds, mariadbKind, POSTGRES_URL } from './database-kinds.js';

export interface TestDatabase {
  readonly connection: DataSourceOptions;
  /** PostgreSQL: a schema of the test's own, which does not exist yet. */
  readonly schema: string | undefined;
  readonly remove: () => Promise<void>;
}

export function sqliteFile(): TestDatabase {
  const directory = mkdtempSync(join(tmpdir(), 'durable-events-'));
  return {
    connection: { type: 'better-sqlite3', database: join(directory, 'events.sqlite') },
    schema: undefined,
    remove: async () => rmSync(directory, { recursive: true }),
  };
}

export function sqliteMemory(): TestDatabase {
  return { connection: { type: 'better-sqlite3', database: ':memory:' }, schema: undefined, remove: async () => {} };
}

export function postgresSchema(): TestDatabase {
  const schema = `events_${randomUUID().replaceAll('-', '')}`;
  const connection: DataSourceOptions = { type: 'postgres', url: POSTGRES_URL };
  return {
    connection,
    schema,
    remove: async () => {
      const source = await new DataSource(connection).initialize();
      await source.query(`drop schema if exists "${schema}" cascade`);
      await source.destroy();
    },
  };
}

export async function mariadbDatabase(): Promise<TestDatabase> {
  const database = await mariadbKind.create();
  return { connection: database.options, schema: undefined, remove: () => database.drop() };
}

/** Whether there is one here; if not, `databaseKinds` has said why. */
export const hasPostgres = databaseKinds.some((kind) => kind.name === 'postgres');
export const hasMariadb = databaseKinds.some((kind) => kind.name === 'mariadb');

export type MakeDatabase = () => TestDatabase | Promise<TestDatabase>;

/** Every kind of database that can be tested here and that several connections can share. */
export const sharedDatabases: readonly (readonly [name: string, make: MakeDatabase])[] = [
  ['a SQLite file', sqliteFile],
  ...(hasPostgres ? [['PostgreSQL', postgresSchema] as const] : []),
  ...(hasMariadb ? [['MariaDB', mariadbDatabase] as const] : []),
];
