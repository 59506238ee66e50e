import type { DataSource, QueryRunner, ReplicationMode } from 'typeorm';
import type { NativeDatabase } from '../sqlite/native-database.js';

/** What is used of TypeORM's better-sqlite3 driver. It has one handle, and one query runner for everybody. */
export interface SqliteDriver {
  /** Undefined until the DataSource is initialized. */
  readonly databaseConnection: NativeDatabase | undefined;
  readonly options: { readonly readonly?: boolean };
  createQueryRunner: (mode: ReplicationMode) => QueryRunner;
}

export function sqliteDriver(dataSource: DataSource): SqliteDriver {
  return dataSource.driver as unknown as SqliteDriver;
}

/** The methods through which everything passes that a query runner does to the state of its connection. */
export const CONNECTION_METHODS = ['query', 'startTransaction', 'commitTransaction', 'rollbackTransaction'] as const;

export type ConnectionMethod = (typeof CONNECTION_METHODS)[number];

export type ConnectionMethods = Record<ConnectionMethod, (...args: unknown[]) => Promise<unknown>>;

export function methodsOf(runner: QueryRunner): ConnectionMethods {
  return runner as unknown as ConnectionMethods;
}

/** What TypeORM begins a transaction with. */
export const BEGIN = 'BEGIN TRANSACTION';
