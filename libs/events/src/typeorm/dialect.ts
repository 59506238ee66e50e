import type { DataSource } from 'typeorm';
import { type DialectType, dialectOf, type SupportedDatabase } from './dialect-type.js';
import { type Tables, tables } from './tables.js';

/** What a verb that is the same on every database needs to know of the one it runs on. */
export class Dialect {
  readonly type: DialectType;
  readonly tables: Tables;

  constructor(
    /** Initialized. For statements made by its query builder: the engine runs them, not the DataSource. */
    readonly source: DataSource,
    readonly tablePrefix: string,
    /** Of the tables; on MySQL that is the database. Undefined where there are none. */
    readonly schema: string | undefined,
  ) {
    this.type = dialectOf(source.options.type as SupportedDatabase);
    this.tables = tables(this.type, tablePrefix, schema);
  }

  /** Portable SQL has `?` for its parameters, and nowhere else. */
  sql(text: string): string {
    if (this.type !== 'postgres') return text;
    let index = 0;
    return text.replaceAll('?', () => `$${++index}`);
  }

  /** A condition for the query builder: the column is one of the parameter's values. */
  among(column: string, parameter: string): string {
    return this.isOneOf(column, `:${parameter}`);
  }

  /** The same in portable SQL: the column is one of the values of the parameter that stands here. */
  oneOf(column: string): string {
    return this.isOneOf(column, '?');
  }

  /** Those values, as the parameter. */
  list<T extends string | number>(values: readonly T[]): readonly (T | null)[] | string {
    if (this.type === 'postgres') return values;
    if (this.type === 'better-sqlite3') return JSON.stringify(values);
    // Written out by the driver: `in ()` would be none.
    return values.length > 0 ? values : [null];
  }

  /** Appended to a select whose rows are about to change. SQLite has one writer anyway. */
  get forUpdate(): string {
    return this.type === 'better-sqlite3' ? '' : 'for update';
  }

  /** What a 64-bit integer is called in a cast. */
  get bigint(): string {
    return this.type === 'mysql' ? 'signed' : 'bigint';
  }

  private isOneOf(column: string, values: string): string {
    if (this.type === 'postgres') return `${column} = any(${values})`;
    if (this.type === 'better-sqlite3') return `${column} in (select value from json_each(${values}))`;
    return `${column} in (${values})`;
  }

  /** The same, without the rows that somebody else has locked. */
  get forUpdateSkipLocked(): string {
    return this.type === 'postgres' ? 'for update skip locked' : '';
  }
}
