import type { DataSource } from 'typeorm';

/** What the engine uses of better-sqlite3; its types are an optional peer's, so these are our own. */
export interface NativeDatabase {
  readonly inTransaction: boolean;
  prepare(sql: string): NativeStatement;
  pragma(source: string, options?: { simple: boolean }): unknown;
}

export interface NativeStatement {
  readonly reader: boolean;
  safeIntegers(on: boolean): this;
  all(params: readonly unknown[]): object[];
  run(params: readonly unknown[]): { changes: number; lastInsertRowid: number | bigint };
}

/** The one connection of an initialized better-sqlite3 DataSource. */
export function nativeDatabase(source: DataSource): NativeDatabase {
  return (source.driver as unknown as { databaseConnection: NativeDatabase }).databaseConnection;
}

/** Somebody else is writing; waiting helps. It does not when a transaction's snapshot is too old to write on. */
export function isBusy(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && code.startsWith('SQLITE_BUSY') && code !== 'SQLITE_BUSY_SNAPSHOT';
}
