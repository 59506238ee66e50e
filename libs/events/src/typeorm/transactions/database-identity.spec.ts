import type { DataSourceOptions } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { isInMemory, isPglite, isSameDatabase } from './database-identity.js';

const file = (database: string): DataSourceOptions => ({ type: 'better-sqlite3', database });
const maria: DataSourceOptions = { type: 'mariadb', host: 'db', port: 3306, username: 'app', database: 'shop' };
const server: DataSourceOptions = { type: 'postgres', host: 'db', port: 5432, username: 'app', database: 'shop' };

describe('isSameDatabase', () => {
  it.each<[string, DataSourceOptions, DataSourceOptions]>([
    ['a file by other paths', file('data/a.sqlite'), file('./data/../data/a.sqlite')],
    ['a server by URL', server, { type: 'postgres', url: 'postgres://other:secret@db/shop' }],
    ['a URL over single options', server, { ...server, host: 'elsewhere', url: 'postgres://db:5432/shop' }],
    ['this machine by other names', { ...server, host: '127.0.0.1' }, { ...server, host: 'localhost' }],
    ['the database of the user', { ...server, database: undefined, username: 'shop' }, server],
    [
      'a replicated one by its master',
      { type: 'postgres', replication: { master: { url: 'postgres://db/shop' }, slaves: [] } },
      server,
    ],
    ['a MariaDB server by URL, or as MySQL', maria, { type: 'mysql', url: 'mysql://other:secret@db/shop' }],
    [
      'a replicated MariaDB by its master',
      { type: 'mariadb', replication: { master: { url: 'mysql://db/shop' }, slaves: [] } },
      maria,
    ],
    [
      'a MariaDB socket',
      { ...maria, socketPath: '/run/db.sock' },
      { ...maria, host: undefined, socketPath: '/run/db.sock' },
    ],
    [
      'a database with an escaped name',
      { type: 'postgres', url: 'postgres://db/my%20shop' },
      { ...server, database: 'my shop' },
    ],
  ])('knows %s', (_name, one, other) => {
    expect([isSameDatabase(one, other), isSameDatabase(other, one)]).toEqual([true, true]);
  });

  it.each<[string, DataSourceOptions, DataSourceOptions]>([
    ['files', file('a.sqlite'), file('b.sqlite')],
    ['databases in memory', file(':memory:'), file(':memory:')],
    ['hosts', server, { ...server, host: 'db2' }],
    ['ports', server, { ...server, port: 5433 }],
    ['databases of a server', server, { ...server, database: 'bookshop' }],
    ['MariaDB ports', maria, { ...maria, port: 3307 }],
    ['MariaDB databases', maria, { ...maria, database: 'bookshop' }],
    ['kinds of server', maria, { ...server, port: 3306 }],
    ['types', server, { ...server, type: 'cockroachdb', timeTravelQueries: false } as DataSourceOptions],
  ])('tells %s apart', (_name, one, other) => {
    expect([isSameDatabase(one, other), isSameDatabase(other, one)]).toEqual([false, false]);
  });
});

it('knows what lives in one connection or in this process', () => {
  const pglite: DataSourceOptions = { type: 'postgres', driver: { Pool: class PGlitePool {} } };
  expect([file(':memory:'), file(''), file('a.sqlite'), server].map(isInMemory)).toEqual([true, true, false, false]);
  expect([pglite, { ...server, driver: { Pool: class BoundPool {} } }, server, file(':memory:')].map(isPglite)).toEqual(
    [true, false, false, false],
  );
});
