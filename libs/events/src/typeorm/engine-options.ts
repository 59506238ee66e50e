import type { DataSourceOptions } from 'typeorm';
import { InvalidOptionError } from '../errors/invalid-option.error.js';
import type { DialectType } from './dialect-type.js';
import { ENTITIES } from './entities/entities.js';
import { checkIdentifier } from './tables.js';

/** Connections of the engine's pool: claims, settles, publishes and heartbeats run side by side, and rarely more. */
const POOL_SIZE = 5;

/** How long to wait for a connection, unless the given options say it. */
const CONNECT_LIMIT_MS = 5_000;
/** Finds out, in the end, that a connection that only listens leads nowhere. */
const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 };

const HOW_TO_CONNECT = {
  'better-sqlite3': ['driver', 'database', 'key', 'nativeBinding', 'prepareDatabase', 'readonly', 'fileMustExist'],
  postgres: [
    'driver',
    'nativeDriver',
    'url',
    'host',
    'port',
    'username',
    'password',
    'database',
    'ssl',
    'applicationName',
    'connectTimeoutMS',
  ],
  mysql: [
    'driver',
    'url',
    'host',
    'port',
    'username',
    'password',
    'database',
    'socketPath',
    'ssl',
    'connectTimeout',
    'insecureAuth',
  ],
} as const satisfies Record<DialectType, readonly string[]>;

/** Of what is handed on to mysql2 as it is: how to connect. The rest says what rows look like, which is for us to say. */
const MYSQL_EXTRAS = [
  'uri',
  'host',
  'port',
  'user',
  'password',
  'password2',
  'password3',
  'passwordSha1',
  'database',
  'socketPath',
  'ssl',
  'stream',
  'authPlugins',
  'authSwitchHandler',
  'enableCleartextPlugin',
  'connectTimeout',
  'connectAttributes',
  'enableKeepAlive',
  'keepAliveInitialDelay',
  'compress',
  'disableEval',
];

/**
 * Options of the engine's own DataSource: of the given ones ONLY how to connect, the rest is ours. Anything else of the
 * application's must not come along: a clone with `dropSchema` or `synchronize` would empty its tables.
 * Of a replicated database the engine uses the master.
 * @throws InvalidOptionError when the database is none that the engine knows.
 */
export function engineOptions(
  given: DataSourceOptions,
  names: { readonly tablePrefix: string; readonly schema?: string },
): DataSourceOptions {
  checkIdentifier('tablePrefix', names.tablePrefix);
  if (names.schema !== undefined) checkIdentifier('schema', names.schema);
  const ours = {
    entities: ENTITIES,
    entityPrefix: names.tablePrefix,
    subscribers: [],
    migrations: [],
    migrationsTableName: `${names.tablePrefix}migration`,
    synchronize: false,
    dropSchema: false,
    migrationsRun: false,
    cache: false,
    logging: false as const,
  };
  if (given.type === 'better-sqlite3') {
    // A connection that waits for a lock blocks the event loop: ours never waits, it is tried again.
    return { ...ours, ...pick(given, 'better-sqlite3'), type: given.type, timeout: 0, enableWAL: true };
  }
  if (given.type === 'postgres') {
    return {
      ...ours,
      connectTimeoutMS: CONNECT_LIMIT_MS,
      ...pick(given, 'postgres'),
      ...(given.replication && pick(given.replication.master, 'postgres')),
      type: given.type,
      // Extensions are for column types we do not use, and creating one needs rights we should not need.
      installExtensions: false,
      poolSize: POOL_SIZE,
      extra: { ...KEEP_ALIVE, ...withoutPoolSize(given.extra as Record<string, unknown> | undefined) },
      ...(names.schema !== undefined && { schema: names.schema }),
    };
  }
  if (given.type === 'mysql' || given.type === 'mariadb') {
    const extra = (given.extra ?? {}) as Record<string, unknown>;
    return {
      ...ours,
      ...pick(given, 'mysql'),
      ...(given.replication && pick(given.replication.master, 'mysql')),
      type: given.type,
      charset: 'utf8mb4',
      supportBigNumbers: true,
      bigNumberStrings: false,
      multipleStatements: true,
      poolSize: POOL_SIZE,
      extra: {
        ...Object.fromEntries(MYSQL_EXTRAS.flatMap((key) => (extra[key] === undefined ? [] : [[key, extra[key]]]))),
        decimalNumbers: true,
        // Here a schema is a database; `extra` has the last word, after a URL.
        ...(names.schema !== undefined && { database: names.schema }),
      },
    };
  }
  throw new InvalidOptionError(
    'EventsModule',
    'dataSource.type',
    given.type,
    "'better-sqlite3', 'postgres', 'mysql' or 'mariadb'",
  );
}

function pick<T extends object>(given: T, type: DialectType): T {
  const keys: readonly string[] = HOW_TO_CONNECT[type];
  return Object.fromEntries(
    Object.entries(given).filter(([key, value]) => keys.includes(key) && value !== undefined),
  ) as T;
}

/** What is left says how to connect (`options`, `keepAlive`, `stream` ...); how many is for each pool to say. */
function withoutPoolSize(extra: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(extra).filter(([key]) => key !== 'max' && key !== 'min'));
}
