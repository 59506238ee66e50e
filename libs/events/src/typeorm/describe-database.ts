import type { DataSourceOptions } from 'typeorm';
import { isMemory } from './sqlite/sqlite.engine.js';

/** Which database, for logs: no user, no password. */
export function describeDatabase(connection: DataSourceOptions, schema?: string): string {
  if (connection.type === 'better-sqlite3') {
    return isMemory(connection.database) ? 'SQLite in memory' : `SQLite file ${connection.database}`;
  }
  if (connection.type !== 'postgres') return connection.type;
  const master = connection.replication?.master ?? connection;
  const url = master.url !== undefined && URL.canParse(master.url) ? new URL(master.url) : undefined;
  const host = url?.hostname ?? master.host ?? 'localhost';
  const port = url?.port || (master.port ?? 5432);
  const database = url ? decodeURIComponent(url.pathname.slice(1)) : master.database;
  return `PostgreSQL ${host}:${port}/${database ?? ''}${schema === undefined ? '' : `, schema ${schema}`}`;
}
