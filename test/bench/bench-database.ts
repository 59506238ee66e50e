import { DataSource, type DataSourceOptions } from 'typeorm';
import { type DatabaseKind, mariadbKind, postgresKind, sqliteKind } from '../support/database-kinds.js';

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
    if (!kind) throw new Error(`--db must be memory or one of ${Object.keys(KINDS).join(', ')}, not ${db}`);
    const database = await kind.create();
    const source = await new DataSource(database.options).initialize();
    return new BenchDatabase(database.options, source, () => database.drop());
  }

  async count(from: string): Promise<number> {
    const [row] = await this.source.query<{ n: string | number }[]>(`select count(*) as n from event_${from}`);
    return Number(row?.n);
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
