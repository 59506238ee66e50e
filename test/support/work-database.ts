import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import type { DatabaseKind, OwnDatabase } from './database-kinds.js';
import { emptyTables } from './emptied-database.js';

/** What `node.worker.ts` writes into. */
const NODE_TABLES = [
  'create table runs (n integer not null, pid integer not null, attempt integer not null)',
  'create table effects (n integer not null, pid integer not null)',
];

/** A database with the tables that the nodes of a test write into, watched from the test's process. */
export class WorkDatabase {
  private constructor(
    readonly database: OwnDatabase,
    private readonly source: DataSource,
  ) {}

  static async create(kind: DatabaseKind, tables: readonly string[] = NODE_TABLES): Promise<WorkDatabase> {
    const database = await kind.create();
    const options =
      database.options.type === 'better-sqlite3' ? { ...database.options, enableWAL: true } : database.options;
    const source = new DataSource(options);
    await source.initialize();
    for (const table of tables) await source.query(table);
    return new WorkDatabase(database, source);
  }

  /** For its nodes. A server has 100 connections for all tests that run at once. */
  get options(): OwnDatabase['options'] {
    return { ...this.database.options, poolSize: 4 } as OwnDatabase['options'];
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

  /** For the next test. Nobody may be at work in it. @param others tables of the test's own. */
  empty(others: readonly string[]): Promise<void> {
    return emptyTables(this.source, undefined, others);
  }

  async drop(): Promise<void> {
    await this.source.destroy();
    await this.database.drop();
  }
}
