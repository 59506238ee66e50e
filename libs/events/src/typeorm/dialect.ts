import type { DataSource } from 'typeorm';
import type { SupportedDatabase } from './engine-options.js';
import { type Tables, tables } from './tables.js';

/** What a verb that is the same on every database needs to know of the one it runs on. */
export class Dialect {
  readonly type: SupportedDatabase;
  readonly tables: Tables;

  constructor(
    /** Initialized. For statements made by its query builder: the engine runs them, not the DataSource. */
    readonly source: DataSource,
    readonly tablePrefix: string,
    /** Of the tables; undefined where there are no schemas. */
    readonly schema: string | undefined,
  ) {
    this.type = source.options.type as SupportedDatabase;
    this.tables = tables(tablePrefix, schema);
  }

  /** Portable SQL has `?` for its parameters, and nowhere else. */
  sql(text: string): string {
    if (this.type !== 'postgres') return text;
    let index = 0;
    return text.replaceAll('?', () => `$${++index}`);
  }

  /** A condition for the query builder: the column is one of the parameter's values. */
  among(column: string, parameter: string): string {
    return this.type === 'postgres'
      ? `${column} = any(:${parameter})`
      : `${column} in (select value from json_each(:${parameter}))`;
  }

  /** Those values, as the parameter. */
  list(values: readonly number[]): readonly number[] | string {
    return this.type === 'postgres' ? values : JSON.stringify(values);
  }

  /** Appended to a select whose rows are about to change. SQLite has one writer anyway. */
  get forUpdate(): string {
    return this.type === 'postgres' ? 'for update' : '';
  }
}
