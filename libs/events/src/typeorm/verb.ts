import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm';

type Scalar = string | number | null | boolean;

/** MySQL: an array stands for a list, one of arrays for the rows of an insert. PostgreSQL: bytes are a value in its binary format. */
export type SqlValue = Scalar | readonly Scalar[] | readonly (readonly Scalar[])[] | Uint8Array;

/** One statement. The SQL text of a verb is made once, so that it can be prepared once. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly SqlValue[];
  /** PostgreSQL: the name to prepare it under, for verbs that run all the time. */
  readonly name?: string;
  /**
   * MySQL: must see what is committed by now. Inside an application's transaction it is run on another connection, since
   * that one's snapshot may be old, and a locking read would hold up others until it ends.
   */
  readonly fresh?: boolean;
  /** MySQL: what is run instead inside an application's transaction, to see past its snapshot and still what it has done. */
  readonly joined?: Omit<Statement, 'joined'>;
}

/** SQLite only: one statement, run once per set of parameters. */
export interface EachStatement {
  readonly sql: string;
  readonly each: readonly (readonly SqlValue[])[];
}

/**
 * Yielded, at most once, by a verb that needs a transaction: one that has several statements, and on SQLite every one
 * that writes. What comes before it only reads, and may be run again. Inside a transaction of the application it joins
 * that one.
 */
export const BEGIN = Symbol('begin');

export interface StatementResult {
  readonly rows: readonly object[];
  /** Rows written. */
  readonly count: number;
  /** Of an `EachStatement`: rows written and the last rowid, per set of parameters. */
  readonly counts: readonly number[];
  readonly rowIds: readonly number[];
}

/**
 * What a store method does in the database, written once for every way to run it: all at once on SQLite's synchronous
 * handle, with waiting on PostgreSQL, in a transaction of its own or in the application's. Generators that yield
 * statements and receive their results need no opinion about that.
 */
export type Verb<R> = Generator<Statement | typeof BEGIN, R, StatementResult>;

/** A verb that only SQLite runs. */
export type SqliteVerb<R> = Generator<Statement | EachStatement | typeof BEGIN, R, StatementResult>;

/** Runs a statement and answers its rows. */
export function* query<T extends object>(sql: string, params: readonly SqlValue[] = [], name?: string): Verb<T[]> {
  return (yield { sql, params, name }).rows as T[];
}

/** The same, past the snapshot of an application's transaction. */
export function* queryFresh<T extends object>(sql: string, params: readonly SqlValue[] = []): Verb<T[]> {
  return (yield { sql, params, fresh: true }).rows as T[];
}

/** Runs a statement and answers how many rows it wrote. */
export function* execute(sql: string, params: readonly SqlValue[] = []): Verb<number> {
  return (yield { sql, params }).count;
}

/** Runs a statement once per set of parameters. */
export function* each(sql: string, sets: readonly (readonly SqlValue[])[]): SqliteVerb<StatementResult> {
  return yield { sql, each: sets };
}

/** Runs a select made by a query builder, and answers its rows with these columns. */
export function* select<T extends object>(
  builder: SelectQueryBuilder<ObjectLiteral>,
  columns: Readonly<Record<keyof T & string, string>>,
): Verb<T[]> {
  builder.select([]);
  for (const [name, column] of Object.entries<string>(columns)) builder.addSelect(column, name);
  const [sql, params] = builder.getQueryAndParameters();
  return yield* query<T>(sql, params as SqlValue[]);
}
