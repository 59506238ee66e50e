import type { DataSourceOptions } from 'typeorm';
import { isMemory } from './sqlite/sqlite.engine.js';

const SERVERS = {
  postgres: { name: 'PostgreSQL', port: 5432 },
  mysql: { name: 'MySQL', port: 3306 },
  mariadb: { name: 'MariaDB', port: 3306 },
} as const;

/** Which database, for logs: no user, no password. */
export function describeDatabase(connection: DataSourceOptions, schema?: string): string {
  if (connection.type === 'better-sqlite3') {
    return isMemory(connection.database) ? 'SQLite in memory' : `SQLite file ${connection.database}`;
  }
  if (connection.type !== 'postgres' && connection.type !== 'mysql' && connection.type !== 'mariadb') {
    return connection.type;
  }
  const server = SERVERS[connection.type];
  const master = connection.replication?.master ?? connection;
  const url = master.url !== undefined && URL.canParse(master.url) ? new URL(master.url) : undefined;
  const host = url?.hostname ?? master.host ?? 'localhost';
  const port = url?.port || (master.port ?? server.port);
  const database = url ? decodeURIComponent(url.pathname.slice(1)) : master.database;
  return `${server.name} ${host}:${port}/${database ?? ''}${schema === undefined ? '' : `, schema ${schema}`}`;
}
