import { DataSource, type DataSourceOptions } from 'typeorm';
import { type DatabaseKind, mariadbKind, postgresKind, sqliteKind } from '../support/database-kinds.js';
import { numbersUpTo } from '../support/numbers.js';

const KINDS: Readonly<Record<string, DatabaseKind>> = {
  sqlite: sqliteKind,
  postgres: postgresKind,
  mariadb: mariadbKind,
};

/** A database of one measurement's own, and a connection of its own to count in. */
export class BenchDatabase {
  private constructor(
    readonly options: DataSourceOptions,
    readonly source: DataSource,
    private readonly remove: () => Promise<void>,
  ) {}

  /** @throws Error when there is no such kind of database. */
  static async create(db: string): Promise<BenchDatabase> {
    const kind = KINDS[db];
    if (!kind) throw new Error(`--db must be one of ${Object.keys(KINDS).join(', ')} (or memory, for some), not ${db}`);
    const database = await kind.create();
    const source = await new DataSource(database.options).initialize();
    return new BenchDatabase(database.options, source, () => database.drop());
  }

  async count(from: string): Promise<number> {
    const [row] = await this.source.query<{ n: string | number }[]>(`select count(*) as n from event_${from}`);
    return Number(row?.n);
  }

  /** Does what autovacuum would do in the middle of a figure. */
  async vacuum(): Promise<void> {
    if (this.options.type !== 'postgres') return;
    await this.source.query('vacuum analyze event_inbox, event_delivery, event_completion');
  }

  async drop(): Promise<void> {
    await this.source.destroy();
    await this.remove();
  }
}

/** With a database for as long as `use` takes; of `memory` there is none. */
export async function onDatabase<T>(db: string, use: (database: BenchDatabase) => Promise<T>): Promise<T> {
  const database = await BenchDatabase.create(db);
  try {
    return await use(database);
  } finally {
    await database.drop();
  }
}

/**
 * So many events that the first of a bench application's handlers has finished. Tables must be empty.
 * @param at when they came and were finished, in milliseconds.
 */
export async function fillHistory(database: BenchDatabase, rows: number, at: number): Promise<void> {
  await fillInbox(database, rows, at);
  // Ids that no delivery will have.
  await fill(
    database,
    'completion (event_seq, id, handler, outcome, attempts, finished_at)',
    rows,
    `n, -n, 'handler-0', 'completed', 1, ${at}`,
  );
  await database.vacuum();
}

/**
 * So many events that the same handler has failed once. Tables must be empty.
 * @param dueAt when they are to be tried again, in milliseconds.
 */
export async function fillRetries(database: BenchDatabase, rows: number, dueAt: number): Promise<void> {
  await fillInbox(database, rows, Date.now());
  await fill(
    database,
    'delivery (id, event_seq, handler, priority, available_at, claims, attempts)',
    rows,
    `n, n, 'handler-0', 50, ${dueAt}, 1, 1`,
  );
  await numberOn(database, 'delivery', 'id', rows);
  await database.vacuum();
}

async function fillInbox(database: BenchDatabase, rows: number, at: number): Promise<void> {
  await fill(
    database,
    'inbox (seq, id, type, payload, bytes, received_at, fanned_out_at)',
    rows,
    `n, concat('old', n), 'bench.0', '{"n":1}', 7, ${at}, ${at}`,
  );
  await numberOn(database, 'inbox', 'seq', rows);
}

/** @param into a table and its columns. @param values of row `n`, from 1 on. */
async function fill({ source }: BenchDatabase, into: string, rows: number, values: string): Promise<void> {
  await source.query(`insert into event_${into} ${numbersUpTo(rows)} select ${values} from numbers`);
}

/** PostgreSQL does not count what brings its number with it. */
async function numberOn(
  { source, options }: BenchDatabase,
  table: string,
  column: string,
  rows: number,
): Promise<void> {
  if (options.type !== 'postgres') return;
  await source.query(`select setval(pg_get_serial_sequence('event_${table}', '${column}'), ${rows})`);
}
