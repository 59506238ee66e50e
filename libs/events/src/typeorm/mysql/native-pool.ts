import type { DataSource } from 'typeorm';

/** What the engine uses of mysql2; its types are an optional peer's, so these are our own. */
export interface NativeConnection {
  query(sql: string, values: readonly unknown[], done: (error: MysqlError | null, result: unknown) => void): unknown;
}

export interface PooledConnection extends NativeConnection {
  on(event: 'error', listener: () => void): unknown;
  /** Back to the pool. */
  release(): void;
  /** Closes it; the pool forgets it. */
  destroy(): void;
}

export interface NativePool {
  getConnection(done: (error: MysqlError | null, connection: PooledConnection) => void): void;
  on(event: 'connection', listener: (connection: PooledConnection) => void): unknown;
}

export interface MysqlError extends Error {
  readonly errno?: number;
}

/** The answer to a statement that has no rows. */
export interface WriteResult {
  readonly affectedRows: number;
  readonly insertId: number | string;
}

/** The pool of an initialized mysql or mariadb DataSource. */
export function nativePool(source: DataSource): NativePool {
  return (source.driver as unknown as { pool: NativePool }).pool;
}

export function acquire(pool: NativePool): Promise<PooledConnection> {
  return new Promise((resolve, reject) => {
    pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection)));
  });
}

export function query(connection: NativeConnection, sql: string, values: readonly unknown[] = []): Promise<unknown> {
  return new Promise((resolve, reject) => {
    connection.query(sql, values, (error, result) => (error ? reject(error) : resolve(result)));
  });
}
