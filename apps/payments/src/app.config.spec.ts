import { describe, expect, it } from 'vitest';
import { readConfig } from './app.config.js';

const database = (url: string) => readConfig({ EVENTS_DATABASE_URL: url }).database;

describe('readConfig', () => {
  it('without any environment is port 3000 on the SQLite file payments.sqlite', () => {
    expect(readConfig({})).toEqual({ port: 3000, database: { type: 'better-sqlite3', database: 'payments.sqlite' } });
  });

  it.each([
    ['sqlite:data/payments.sqlite', 'data/payments.sqlite'],
    ['sqlite:/var/lib/payments.sqlite', '/var/lib/payments.sqlite'],
    ['sqlite:///var/lib/payments.sqlite', '/var/lib/payments.sqlite'],
  ])('reads %s as a file', (url, file) => {
    expect(database(url)).toEqual({ type: 'better-sqlite3', database: file });
  });

  it.each(['postgres://user:secret@localhost:5432/payments', 'postgresql://localhost/payments'])(
    'hands %s to the driver as it is',
    (url) => {
      expect(database(url)).toEqual({ type: 'postgres', url });
    },
  );

  it.each([
    ['mysql://localhost/payments', /EVENTS_DATABASE_URL must be sqlite:.* but has the scheme "mysql"/],
    ['payments.sqlite', /EVENTS_DATABASE_URL must be sqlite:.* but has no scheme/],
    ['', /EVENTS_DATABASE_URL must be sqlite:.* but has no scheme/],
    ['sqlite:', /names no file/],
    ['sqlite::memory:', /must name a file/],
    ['postgres://localhost', /has no host or no database/],
    ['postgres:/payments', /has no host or no database/],
    ['postgres://user:secret@localhost:port/payments', /cannot be read/],
  ])('refuses %s and says why', (url, reason) => {
    expect(() => database(url)).toThrow(reason);
  });

  it('keeps the password out of its errors', () => {
    expect(() => database('postgres://user:secret@localhost:port/payments')).toThrow(/^(?!.*secret)/);
  });

  it.each(['-1', '65536', '3000.5', 'http', ''])('refuses %j as a port', (port) => {
    expect(() => readConfig({ PORT: port })).toThrow(`PORT must be a whole number from 0 to 65535, but is "${port}"`);
  });

  it('takes TRACES=console, and nothing else', () => {
    expect(readConfig({ TRACES: 'console' }).traces).toBe('console');
    for (const value of ['', 'true', 'otlp']) {
      expect(() => readConfig({ TRACES: value })).toThrow(`TRACES must be "console" or left out, but is "${value}"`);
    }
  });

  it.each([
    ['0', 0],
    ['65535', 65_535],
  ])('takes %s as a port', (port, expected) => {
    expect(readConfig({ PORT: port }).port).toBe(expected);
  });
});
