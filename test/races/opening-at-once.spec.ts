/** Scope: many processes that open one fresh SQLite file in the same moment. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { eventMigrationSql } from 'nestjs-durable-events';
import { DataSource } from 'typeorm';
import { expect, it } from 'vitest';
import { sqliteFile } from '../support/databases.js';

const WORKER = fileURLToPath(new URL('../../dist/test/workers/open-store.worker.js', import.meta.url));
const PROCESSES = 10;

it('ten processes open a fresh file at once: all succeed, and it is migrated once', async () => {
  const database = sqliteFile();
  const file = String(database.connection.database);
  const workers = Array.from({ length: PROCESSES }, () => fork(WORKER, [file]));
  const message = async (worker: ChildProcess) => ((await once(worker, 'message')) as [string])[0];
  try {
    expect(await Promise.all(workers.map(message))).toEqual(workers.map(() => 'ready'));
    const answers = Promise.all(workers.map(message));
    for (const worker of workers) worker.send('go');
    expect(await answers).toEqual(workers.map(() => 'done'));
    const source = await new DataSource(database.connection).initialize();
    const count = (table: string) => source.query(`select count(*) as n from ${table}`);
    const migrations = eventMigrationSql({ type: 'better-sqlite3' }).length;
    const rows = [await count('event_migration'), await count('event_node')];
    expect(rows).toEqual([[{ n: migrations }], [{ n: PROCESSES }]]);
    await source.destroy();
  } finally {
    for (const worker of workers) worker.kill();
    await database.remove();
  }
});
