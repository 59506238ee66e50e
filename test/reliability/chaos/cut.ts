import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import type { DataSource } from 'typeorm';

/**
 * Takes the database away from everybody else for a moment: the one place that knows how, database by database.
 * @param driver a DataSource with one connection, which stays. @param share of the other connections.
 * @param forMs how long a SQLite file is held.
 */
export async function cut(driver: DataSource, share: number, forMs: number): Promise<string> {
  switch (driver.options.type) {
    case 'postgres':
      return cutPostgres(driver, share);
    case 'mysql':
    case 'mariadb':
      return cutMysql(driver, share);
    case 'better-sqlite3':
      return holdSqlite(driver.options.database, forMs);
    default:
      throw new Error(`nobody knows how to cut connections of ${driver.options.type}`);
  }
}

async function cutPostgres(driver: DataSource, share: number): Promise<string> {
  const rows = await driver.query<unknown[]>(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() and random() < ${share}`,
  );
  return `${rows.length} connections`;
}

async function cutMysql(driver: DataSource, share: number): Promise<string> {
  const rows = await driver.query<{ id: string | number }[]>(
    `select id as id from information_schema.processlist
     where db = database() and id <> connection_id() and rand() < ${share}`,
  );
  // One may have ended meanwhile.
  for (const { id } of rows) await driver.query(`kill ${Number(id)}`).catch(() => undefined);
  return `${rows.length} connections`;
}

/** Another writer, in a process that is none of theirs. */
async function holdSqlite(file: string, forMs: number): Promise<string> {
  const database = new Database(file, { timeout: 0 });
  try {
    const deadline = performance.now() + 10_000;
    while (!tryBegin(database)) {
      if (performance.now() > deadline) return 'nothing: the file was never free';
      await sleep(2);
    }
    await sleep(forMs);
    database.exec('rollback');
    return `a write lock held for ${forMs} ms`;
  } finally {
    database.close();
  }
}

function tryBegin(database: Database.Database): boolean {
  try {
    database.exec('begin immediate');
    return true;
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith('SQLITE_BUSY')) return false;
    throw error;
  }
}
