import type { DataSourceOptions } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../errors/invalid-option.error.js';
import { engineOptions } from './engine-options.js';
import { ENTITIES } from './entities/entities.js';

const NAMES = { tablePrefix: 'event_' };

/** Options of an application that would do harm to its own tables if the engine had them. */
const DANGEROUS = {
  entities: [class Account {}],
  subscribers: [class Audit {}],
  migrations: [class CreateAccounts1767225600000 {}],
  migrationsTableName: 'migrations',
  entityPrefix: 'app_',
  synchronize: true,
  dropSchema: true,
  migrationsRun: true,
  cache: true,
  logging: true,
  maxQueryExecutionTime: 1,
  poolSize: 50,
} as const;

const OURS = {
  entities: ENTITIES,
  subscribers: [],
  migrations: [],
  migrationsTableName: 'event_migration',
  entityPrefix: 'event_',
  synchronize: false,
  dropSchema: false,
  migrationsRun: false,
  cache: false,
  logging: false,
};

describe('engineOptions', () => {
  it('keeps of PostgreSQL options only how to connect', () => {
    const connection = {
      url: 'postgres://db/app',
      host: 'db',
      port: 5433,
      username: 'app',
      password: () => 'secret',
      database: 'app',
      ssl: { rejectUnauthorized: false },
      applicationName: 'shop',
      connectTimeoutMS: 1_000,
    };
    const given = {
      ...DANGEROUS,
      type: 'postgres',
      ...connection,
      schema: 'app',
      useUTC: true,
      parseInt8: true,
      installExtensions: true,
      extra: { max: 50, min: 5, keepAliveInitialDelayMillis: 1, options: '-c lock_timeout=1s' },
    } as unknown as DataSourceOptions;
    expect(engineOptions(given, { tablePrefix: 'event_', schema: 'events' })).toEqual({
      ...OURS,
      type: 'postgres',
      ...connection,
      schema: 'events',
      installExtensions: false,
      poolSize: 5,
      extra: { keepAlive: true, keepAliveInitialDelayMillis: 1, options: '-c lock_timeout=1s' },
    });
  });

  it('uses the master of a replicated database', () => {
    const replication = { master: { host: 'master', database: 'app' }, slaves: [{ host: 'slave', database: 'app' }] };
    const given: DataSourceOptions = { type: 'postgres', replication };
    expect(engineOptions(given, NAMES)).toEqual({
      ...OURS,
      type: 'postgres',
      host: 'master',
      database: 'app',
      connectTimeoutMS: 5_000,
      installExtensions: false,
      poolSize: 5,
      extra: { keepAlive: true, keepAliveInitialDelayMillis: 10_000 },
    });
  });

  it.each(['mysql', 'mariadb'] as const)('keeps of %s options only how to connect', (type) => {
    const connection = {
      url: 'mysql://db/app',
      host: 'db',
      port: 3307,
      username: 'app',
      password: 'secret',
      database: 'app',
      socketPath: '/run/db.sock',
      ssl: { rejectUnauthorized: false },
      connectTimeout: 1_000,
      insecureAuth: true,
    };
    const given = {
      ...DANGEROUS,
      type,
      ...connection,
      charset: 'latin1',
      timezone: '+05:00',
      dateStrings: true,
      bigNumberStrings: true,
      legacySpatialSupport: true,
      extra: { connectionLimit: 50, rowsAsArray: true, typeCast: () => 1, initSql: 'x', enableKeepAlive: true },
    } as unknown as DataSourceOptions;
    expect(engineOptions(given, { tablePrefix: 'event_', schema: 'events' })).toEqual({
      ...OURS,
      type,
      ...connection,
      charset: 'utf8mb4',
      supportBigNumbers: true,
      bigNumberStrings: false,
      multipleStatements: true,
      poolSize: 5,
      extra: { enableKeepAlive: true, decimalNumbers: true, database: 'events' },
    });
  });

  it('keeps of SQLite options only how to open the file', () => {
    const connection = { database: 'app.sqlite', key: 'secret', nativeBinding: './sqlite.node', fileMustExist: true };
    const given = {
      ...DANGEROUS,
      type: 'better-sqlite3',
      ...connection,
      timeout: 9_999,
      enableWAL: false,
      statementCacheSize: 0,
      verbose: () => {},
    } as unknown as DataSourceOptions;
    expect(engineOptions(given, NAMES)).toEqual({
      ...OURS,
      type: 'better-sqlite3',
      ...connection,
      timeout: 0,
      enableWAL: true,
    });
  });

  it.each([
    ['a prefix that is no identifier', { tablePrefix: 'event-' }, 'tablePrefix'],
    ['a prefix that would end a quoted name', { tablePrefix: 'e"; drop table x; --' }, 'tablePrefix'],
    ['a schema that is no identifier', { tablePrefix: 'event_', schema: '1st' }, 'schema'],
  ])('refuses %s', (_, names, option) => {
    expect(() => engineOptions({ type: 'postgres' }, names)).toThrow(
      expect.objectContaining({ code: 'EVENTS_INVALID_OPTION', option }),
    );
  });

  it('refuses a database that it does not know', () => {
    expect(() => engineOptions({ type: 'oracle' }, NAMES)).toThrow(InvalidOptionError);
  });
});
