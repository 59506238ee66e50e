import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  readonly name: 'sqlite' | 'postgres';
  create(): Promise<OwnDatabase>;
}

export const POSTGRES_URL = process.env['EVENTS_TEST_POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/test';

export const sqliteKind: DatabaseKind = {
  name: 'sqlite',
  create() {
    const folder = mkdtempSync(join(tmpdir(), 'durable-events-'));
    const options = { type: 'better-sqlite3' as const, database: join(folder, 'test.sqlite') };
    return Promise.resolve({ options, drop: () => Promise.resolve(rmSync(folder, { recursive: true, force: true })) });
  },
};

export const postgresKind: DatabaseKind = {
  name: 'postgres',
  async create() {
    const name = `events_test_${process.pid}_${randomBytes(6).toString('hex')}`;
    await admin(`create database ${name}`);
    const url = new URL(POSTGRES_URL);
    url.pathname = `/${name}`;
    return {
      options: { type: 'postgres', url: url.href },
      drop: () => admin(`drop database if exists ${name} with (force)`),
    };
  },
};

async function admin(sql: string): Promise<void> {
  const client = new Client({ connectionString: POSTGRES_URL, connectionTimeoutMillis: 3_000 });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Why PostgreSQL cannot be tested here, or undefined when it can. */
async function postgresProblem(): Promise<string | undefined> {
  try {
    await admin('select 1');
    return undefined;
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    return `there is none at ${new URL(POSTGRES_URL).host}: ${message || code}`;
  }
}

const problem = await postgresProblem();
if (problem !== undefined) {
  const required = (process.env['EVENTS_TEST_REQUIRE'] ?? '').split(',').includes('postgres');
  if (required) throw new Error(`EVENTS_TEST_REQUIRE names postgres, but ${problem}`);
  console.warn(`SKIPPED: everything on PostgreSQL, since ${problem}`);
}

/** The databases that can be tested here; what is missing has been printed with the reason. */
export const databaseKinds: readonly DatabaseKind[] = problem === undefined ? [sqliteKind, postgresKind] : [sqliteKind];
