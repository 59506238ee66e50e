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
  const numbers = numbersUpTo(rows);
  await database.source
    .query(`insert into event_inbox (seq, id, type, payload, bytes, received_at, fanned_out_at) ${numbers}
    select n, concat('old', n), 'bench.0', '{"n":1}', 7, ${at}, ${at} from numbers`);
  // Ids that no delivery will have.
  await database.source
    .query(`insert into event_completion (event_seq, id, handler, outcome, attempts, finished_at) ${numbers}
    select n, -n, 'handler-0', 'completed', 1, ${at} from numbers`);
  if (database.options.type === 'postgres')
    await database.source.query(`select setval(pg_get_serial_sequence('event_inbox', 'seq'), ${rows})`);
  await database.vacuum();
}
