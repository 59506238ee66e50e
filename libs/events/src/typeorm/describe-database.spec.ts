import type { DataSourceOptions } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { describeDatabase } from './describe-database.js';

describe('describeDatabase', () => {
  it.each<[DataSourceOptions, string]>([
    [{ type: 'better-sqlite3', database: 'data/events.sqlite', key: 'secret' }, 'SQLite file data/events.sqlite'],
    [{ type: 'better-sqlite3', database: ':memory:' }, 'SQLite in memory'],
    [{ type: 'postgres', url: 'postgres://app:secret@db:5433/shop' }, 'PostgreSQL db:5433/shop'],
    [{ type: 'postgres', url: 'postgres://app:secret@db/shop?sslmode=require' }, 'PostgreSQL db:5432/shop'],
    [
      { type: 'postgres', host: 'db', username: 'app', password: 'secret', database: 'shop' },
      'PostgreSQL db:5432/shop',
    ],
    [
      { type: 'postgres', replication: { master: { host: 'one', database: 'shop' }, slaves: [] } },
      'PostgreSQL one:5432/shop',
    ],
    [{ type: 'mysql', url: 'mysql://app:secret@db/shop' }, 'MySQL db:3306/shop'],
    [
      { type: 'mariadb', host: 'db', port: 3307, username: 'app', password: 'secret', database: 'shop' },
      'MariaDB db:3307/shop',
    ],
    [
      { type: 'mariadb', replication: { master: { host: 'one', database: 'shop' }, slaves: [] } },
      'MariaDB one:3306/shop',
    ],
  ])('names the database, never a credential (%#)', (connection, description) => {
    expect(describeDatabase(connection)).toBe(description);
  });

  it('names the schema', () => {
    expect(describeDatabase({ type: 'postgres', host: 'db', database: 'shop' }, 'events')).toBe(
      'PostgreSQL db:5432/shop, schema events',
    );
  });
});
