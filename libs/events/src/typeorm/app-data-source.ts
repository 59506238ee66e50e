import type { DataSource, DataSourceOptions } from 'typeorm';
import { UnsupportedDatabaseError } from '../errors/unsupported-database.error.js';
import { describeDatabase } from './describe-database.js';
import { engineOptions } from './engine-options.js';
import { makeDataSource } from './make-data-source.js';
import { isInMemory, isPglite, isSameDatabase } from './transactions/database-identity.js';

/** Where the events are kept, and on what the application's transactions run. */
export interface DatabaseChoice {
  /** The application's DataSource on this database, on which transactions run; undefined when it has none. */
  readonly application: DataSource | undefined;
  /** How to connect. Only that: entities, synchronize and the like are the application's own affair. */
  readonly connect: DataSourceOptions;
  /** The database lives in one connection, which has to do for the engine and for transactions. */
  readonly inMemory: boolean;
  /** For the boot log: which database, without credentials, and why this one. */
  readonly description: string;
}

const EMBEDDED: DataSourceOptions = { type: 'better-sqlite3', database: 'events.sqlite' };
const SUPPORTED = ['better-sqlite3', 'postgres', 'mysql', 'mariadb'];
const CANNOT_BE_OPENED_TWICE =
  'the engine needs a connection of its own, but this database cannot be opened twice: use a SQLite file or a database server';
const IN_PROCESS = ['sqljs', 'expo', 'capacitor', 'cordova', 'react-native', 'nativescript'];

/**
 * Chooses the database from the module's `dataSource` option and the application's default DataSource, if it has one.
 * Options that connect to the database of the default DataSource mean that one: transactions must run on it, so that the
 * application's repositories work in them.
 * @throws UnsupportedDatabaseError when it is of a type without a store, or is the application's and cannot be opened twice.
 */
export function chooseDatabase(
  given: DataSource | DataSourceOptions | undefined,
  appDefault?: DataSource,
): DatabaseChoice {
  const application =
    given === undefined ? appDefault : isDataSource(given) ? given : onSameDatabase(given, appDefault);
  const connect = application?.options ?? (given as DataSourceOptions | undefined) ?? EMBEDDED;
  const name = describeDatabase(connect);
  checkType(connect, name);
  if (isPglite(connect)) throw new UnsupportedDatabaseError('pglite', CANNOT_BE_OPENED_TWICE);
  if (application && isInMemory(connect)) {
    throw new UnsupportedDatabaseError(name, `it is the application's, and ${CANNOT_BE_OPENED_TWICE}`);
  }
  const origin = given !== undefined ? 'option dataSource' : application ? "the application's DataSource" : 'embedded';
  return { application, connect, inMemory: isInMemory(connect), description: `${name} (${origin})` };
}

/** A DataSource for transactions when the application has none: without entities, with the pool of the given options. */
export function ownDataSource(
  { connect }: DatabaseChoice,
  names: { tablePrefix: string; schema?: string },
): DataSource {
  const options = engineOptions(connect, names);
  const extra = { ...(options.extra as object | undefined), ...(connect.extra as object | undefined) };
  return makeDataSource({ ...options, poolSize: connect.poolSize, extra, entities: [] } as DataSourceOptions);
}

/** Another copy of typeorm has another class, so the shape counts. */
function isDataSource(given: DataSource | DataSourceOptions): given is DataSource {
  return 'createQueryRunner' in given;
}

function onSameDatabase(given: DataSourceOptions, appDefault: DataSource | undefined): DataSource | undefined {
  return appDefault && isSameDatabase(appDefault.options, given) ? appDefault : undefined;
}

function checkType({ type }: DataSourceOptions, name: string): void {
  if (SUPPORTED.includes(type)) return;
  const reason = IN_PROCESS.includes(type) ? CANNOT_BE_OPENED_TWICE : `supported are ${SUPPORTED.join(', ')}`;
  throw new UnsupportedDatabaseError(name, reason);
}
