import type { DataSourceOptions } from 'typeorm';

/** What the environment says, checked. */
export interface AppConfig {
  /** 0 = any free port. */
  readonly port: number;
  /** How to connect; one database holds the application's tables and the events. */
  readonly database: DataSourceOptions;
  /** Where OpenTelemetry's traces go; undefined = there are none. */
  readonly traces?: 'console';
}

const DEFAULT_PORT = '3000';
const DEFAULT_DATABASE_URL = 'sqlite:payments.sqlite';
const DATABASE_URL_FORMS = 'sqlite:<file> or postgres://<user>:<password>@<host>:<port>/<database>';

/**
 * Reads `PORT`, `EVENTS_DATABASE_URL` and `TRACES`.
 * @throws Error that names the variable; never with the URL itself in it, since that may hold a password.
 */
export function readConfig(env: NodeJS.ProcessEnv): AppConfig {
  return {
    port: readPort(env['PORT'] ?? DEFAULT_PORT),
    database: readDatabase(env['EVENTS_DATABASE_URL'] ?? DEFAULT_DATABASE_URL),
    traces: readTraces(env['TRACES']),
  };
}

function readPort(value: string): number {
  const port = /^\d{1,5}$/.test(value) ? Number(value) : NaN;
  if (!(port <= 65_535)) throw new Error(`PORT must be a whole number from 0 to 65535, but is "${value}"`);
  return port;
}

function readTraces(value: string | undefined): AppConfig['traces'] {
  if (value === undefined || value === 'console') return value;
  throw new Error(`TRACES must be "console" or left out, but is "${value}"`);
}

function readDatabase(url: string): DataSourceOptions {
  const scheme = /^[a-z][a-z0-9+.-]*(?=:)/i.exec(url)?.[0].toLowerCase();
  switch (scheme) {
    case 'sqlite':
      return sqlite(url);
    case 'postgres':
    case 'postgresql':
      return postgres(url);
    default: {
      const found = scheme === undefined ? 'has no scheme' : `has the scheme "${scheme}"`;
      throw new Error(`EVENTS_DATABASE_URL must be ${DATABASE_URL_FORMS}, but ${found}`);
    }
  }
}

function sqlite(url: string): DataSourceOptions {
  // sqlite:file, sqlite:/absolute/file and sqlite:///absolute/file
  const database = url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '');
  if (database === '') throw new Error('EVENTS_DATABASE_URL names no file: say sqlite:<file>');
  if (database === ':memory:') {
    throw new Error(
      'EVENTS_DATABASE_URL must name a file: the service opens its database twice, and each sqlite::memory: is another one',
    );
  }
  return { type: 'better-sqlite3', database };
}

function postgres(url: string): DataSourceOptions {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed?.hostname || parsed.pathname.length < 2) {
    throw new Error(
      `EVENTS_DATABASE_URL cannot be read, or has no host or no database: it must be ${DATABASE_URL_FORMS}`,
    );
  }
  return { type: 'postgres', url };
}
