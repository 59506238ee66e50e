import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import type { DatabaseKind, OwnDatabase } from './database-kinds.js';

/** A database with the tables that `node.worker.ts` writes into, watched from the test's process. */
export class WorkDatabase {
  private constructor(
    readonly database: OwnDatabase,
    private readonly source: DataSource,
  ) {}

  static async create(kind: DatabaseKind): Promise<WorkDatabase> {
    const database = await kind.create();
    const options =
      database.options.type === 'better-sqlite3' ? { ...database.options, enableWAL: true } : database.options;
    const source = new DataSource(options);
    await source.initialize();
    await source.query('create table runs (n integer not null, pid integer not null, attempt integer not null)');
    await source.query('create table effects (n integer not null, pid integer not null)');
    return new WorkDatabase(database, source);
  }

  get options(): OwnDatabase['options'] {
    return this.database.options;
  }

  async rows<T>(sql: string): Promise<T[]> {
    return this.source.query<T[]>(sql);
  }

  async count(from: string): Promise<number> {
    const [row] = await this.rows<{ n: string | number }>(`select count(*) as n from ${from}`);
    return Number(row?.n);
  }

  /** Waits until a count is reached. */
  async until(from: string, reached: (count: number) => boolean, deadlineMs = 60_000): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    for (let count = await this.count(from); !reached(count); count = await this.count(from)) {
      if (performance.now() > deadline) throw new Error(`after ${deadlineMs} ms there are ${count} rows in ${from}`);
      await sleep(20);
    }
  }

  async drop(): Promise<void> {
    await this.source.destroy();
    await this.database.drop();
  }
}
