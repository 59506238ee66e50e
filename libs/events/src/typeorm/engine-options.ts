import type { DataSourceOptions } from 'typeorm';
import { InvalidOptionError } from '../errors/invalid-option.error.js';
import { ENTITIES } from './entities/entities.js';
import { checkIdentifier } from './tables.js';

/** Connections of the engine's pool: claims, settles, publishes and heartbeats run side by side, and rarely more. */
const POOL_SIZE = 5;

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
} as const;

export type SupportedDatabase = keyof typeof HOW_TO_CONNECT;

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
      ...pick(given, 'postgres'),
      ...(given.replication && pick(given.replication.master, 'postgres')),
      type: given.type,
      // Extensions are for column types we do not use, and creating one needs rights we should not need.
      installExtensions: false,
      poolSize: POOL_SIZE,
      extra: withoutPoolSize(given.extra as Record<string, unknown> | undefined),
      ...(names.schema !== undefined && { schema: names.schema }),
    };
  }
  throw new InvalidOptionError('EventsModule', 'dataSource.type', given.type, "'better-sqlite3' or 'postgres'");
}

function pick<T extends object>(given: T, type: SupportedDatabase): T {
  const keys: readonly string[] = HOW_TO_CONNECT[type];
  return Object.fromEntries(
    Object.entries(given).filter(([key, value]) => keys.includes(key) && value !== undefined),
  ) as T;
}

/** What is left says how to connect (`options`, `keepAlive`, `stream` ...); how many is for each pool to say. */
function withoutPoolSize(extra: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(extra).filter(([key]) => key !== 'max' && key !== 'min'));
}
