import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import type { DataSourceOptions } from 'typeorm';

/** A database of one test's own. */
export interface OwnDatabase {
  /** How to connect; give it to a DataSource or to `EventsModule.forRoot({ dataSource })`. */
  readonly options: DataSourceOptions;
  /** Removes it with everything in it. All connections must be closed. */
  drop(): Promise<void>;
}

export interface DatabaseKind {
  readonly name: 'sqlite' | 'postgres' | 'mariadb';
  create(): Promise<OwnDatabase>;
}

export const POSTGRES_URL = process.env['EVENTS_TEST_POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/test';
export const MYSQL_URL = process.env['EVENTS_TEST_MYSQL_URL'] ?? 'mysql://root@127.0.0.1:3306/test';

export const sqliteKind: DatabaseKind = {
  name: 'sqlite',
  create() {
    const folder = mkdtempSync(join(tmpdir(), 'durable-events-'));
    const options = { type: 'better-sqlite3' as const, database: join(folder, 'test.sqlite') };
    return Promise.resolve({ options, drop: () => Promise.resolve(rmSync(folder, { recursive: true, force: true })) });
  },
};

/** On the server at this address. */
export function postgresAt(server: string): DatabaseKind {
  return {
    name: 'postgres',
    async create() {
      const name = databaseName();
      await postgresAdmin(server, `create database ${name}`);
      return {
        options: { type: 'postgres', url: urlOf(server, name) },
        drop: () => postgresAdmin(server, `drop database if exists ${name} with (force)`),
      };
    },
  };
}

/** On the server at this address. */
export function mariadbAt(server: string): DatabaseKind {
  return {
    name: 'mariadb',
    async create() {
      const name = databaseName();
      await mysqlAdmin(server, `create database ${name}`);
      return {
        options: { type: 'mariadb', url: urlOf(server, name) },
        drop: () => mysqlAdmin(server, `drop database if exists ${name}`),
      };
    },
  };
}

export const postgresKind = postgresAt(POSTGRES_URL);
export const mariadbKind = mariadbAt(MYSQL_URL);

function databaseName(): string {
  return `events_test_${process.pid}_${randomBytes(6).toString('hex')}`;
}

function urlOf(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
}

async function postgresAdmin(server: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: server, connectionTimeoutMillis: 3_000 });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function mysqlAdmin(server: string, sql: string): Promise<void> {
  const connection = await createConnection({ uri: server, connectTimeout: 3_000 });
  try {
    await connection.query(sql);
  } finally {
    await connection.end();
  }
}

const SERVERS = [
  { kind: postgresKind, title: 'PostgreSQL', url: POSTGRES_URL },
  { kind: mariadbKind, title: 'MariaDB', url: MYSQL_URL },
] as const;

/** Why the server at this address cannot be used, or undefined when it can. */
export async function problemOf(server: string): Promise<string | undefined> {
  try {
    await (server.startsWith('mysql:') ? mysqlAdmin : postgresAdmin)(server, 'select 1');
    return undefined;
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    return `there is none at ${new URL(server).host}: ${message || code}`;
  }
}

const required = (process.env['EVENTS_TEST_REQUIRE'] ?? '').split(',');
const there: DatabaseKind[] = [sqliteKind];
for (const server of SERVERS) {
  const problem = await problemOf(server.url);
  const { name } = server.kind;
  if (problem === undefined) {
    there.push(server.kind);
    continue;
  }
  if (required.includes(name)) throw new Error(`EVENTS_TEST_REQUIRE names ${name}, but ${problem}`);
  console.warn(`SKIPPED: everything on ${server.title}, since ${problem}`);
}

/** The databases that can be tested here; what is missing has been printed with the reason. */
export const databaseKinds: readonly DatabaseKind[] = there;
