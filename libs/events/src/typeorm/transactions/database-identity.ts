import type { DataSourceOptions } from 'typeorm';
import { canonical } from '../sqlite/file-mutex.js';
import { isMemory } from '../sqlite/sqlite.engine.js';

type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;
type MysqlOptions = Extract<DataSourceOptions, { type: 'mysql' | 'mariadb' }>;

const THIS_MACHINE = ['localhost', '127.0.0.1', '::1', '[::1]'];

/** A database that exists only as long as one connection to it, and only for that connection. */
export function isInMemory(options: DataSourceOptions): boolean {
  return options.type === 'better-sqlite3' && isMemory(options.database);
}

/** PostgreSQL compiled to WebAssembly, in this process, behind the `driver` option of TypeORM's postgres driver. */
export function isPglite(options: DataSourceOptions): boolean {
  if (options.type !== 'postgres') return false;
  const driver = options.driver as { name?: unknown; Pool?: { name?: unknown } } | undefined;
  return /pglite/i.test(`${String(driver?.name)} ${String(driver?.Pool?.name)}`);
}

/** Whether both connect to one database, as far as their options tell; in-memory ones are always different. */
export function isSameDatabase(one: DataSourceOptions, other: DataSourceOptions): boolean {
  return !isInMemory(one) && identity(one) === identity(other);
}

function identity(options: DataSourceOptions): string {
  if (options.type === 'better-sqlite3') return `sqlite ${canonical(options.database)}`;
  if (options.type === 'postgres') return postgresName(options);
  if (options.type === 'mysql' || options.type === 'mariadb') return mysqlName(options);
  return options.type;
}

function postgresName(options: PostgresOptions): string {
  const master = options.replication?.master;
  const given = { ...options, ...master };
  const url = given.url ? parse(given.url) : {};
  const { PGHOST, PGPORT, PGUSER, PGDATABASE } = process.env;
  const host = url.host ?? given.host ?? PGHOST ?? 'localhost';
  const port = url.port ?? given.port ?? PGPORT ?? 5432;
  const database = url.database ?? given.database ?? PGDATABASE ?? url.user ?? given.username ?? PGUSER ?? '';
  return `postgres ${hostName(host)}:${port}/${database}`;
}

/** A socket is on this machine; which server of it listens there, nothing tells but its path. */
function mysqlName(options: MysqlOptions): string {
  const given = { ...options, ...options.replication?.master };
  const url = given.url ? parse(given.url) : {};
  const database = url.database ?? given.database ?? '';
  if (given.socketPath !== undefined && url.host === undefined) return `mysql ${given.socketPath}/${database}`;
  return `mysql ${hostName(url.host ?? given.host ?? 'localhost')}:${url.port ?? given.port ?? 3306}/${database}`;
}

function hostName(host: string): string {
  return THIS_MACHINE.includes(host) ? 'localhost' : host;
}

/** What a connection URL says, where it says it; TypeORM lets that win over the single options. */
function parse(text: string): { host?: string; port?: string; user?: string; database?: string } {
  if (!URL.canParse(text)) return {};
  const { hostname, port, username, pathname } = new URL(text);
  return {
    host: hostname || undefined,
    port: port || undefined,
    user: decodeURIComponent(username) || undefined,
    database: decodeURIComponent(pathname.slice(1)) || undefined,
  };
}
