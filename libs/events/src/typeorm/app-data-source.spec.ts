import { DataSource, type DataSourceOptions } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { UnsupportedDatabaseError } from '../errors/unsupported-database.error.js';
import { chooseDatabase, ownDataSource } from './app-data-source.js';

const file = { type: 'better-sqlite3', database: 'shop.sqlite' } as const satisfies DataSourceOptions;
const memory = { type: 'better-sqlite3', database: ':memory:' } as const satisfies DataSourceOptions;
const server = {
  type: 'postgres',
  url: 'postgres://app:secret@db/shop',
  poolSize: 7,
} as const satisfies DataSourceOptions;
const typed = (type: string) => ({ type, database: 'x' }) as unknown as DataSourceOptions;

describe('chooseDatabase', () => {
  it('takes an embedded SQLite file when nothing is given', () => {
    expect(chooseDatabase(undefined)).toEqual({
      application: undefined,
      connect: { type: 'better-sqlite3', database: 'events.sqlite' },
      inMemory: false,
      description: 'SQLite file events.sqlite (embedded)',
    });
  });

  it("takes the application's default DataSource when nothing is given", () => {
    const app = new DataSource(file);
    const choice = chooseDatabase(undefined, app);
    expect(choice.application).toBe(app);
    expect([choice.connect, choice.description]).toEqual([
      file,
      "SQLite file shop.sqlite (the application's DataSource)",
    ]);
  });

  it('takes a given DataSource before the default one', () => {
    const given = new DataSource(server);
    expect(chooseDatabase(given, new DataSource(file)).application).toBe(given);
  });

  it('opens connections of its own by given options, unless they lead to the default DataSource', () => {
    const app = new DataSource({ ...file, database: './shop.sqlite' });
    expect(chooseDatabase(server, app)).toEqual({
      application: undefined,
      connect: server,
      inMemory: false,
      description: 'PostgreSQL db:5432/shop (option dataSource)',
    });
    expect(chooseDatabase(file, app).application).toBe(app);
  });

  it('takes a database in memory only if it is nobody else’s', () => {
    expect(chooseDatabase(memory)).toMatchObject({ application: undefined, inMemory: true });
    expect(chooseDatabase(memory, new DataSource(file))).toMatchObject({ application: undefined, inMemory: true });
    const app = new DataSource(memory);
    for (const refused of [() => chooseDatabase(undefined, app), () => chooseDatabase(app)]) {
      expect(refused).toThrow(UnsupportedDatabaseError);
      expect(refused).toThrow(/cannot be opened twice/);
    }
  });

  it.each(['sqljs', 'expo'])('refuses %s, since it cannot be opened twice', (type) => {
    expect(() => chooseDatabase(typed(type))).toThrow(/cannot be opened twice/);
  });

  it('refuses PGlite, since it cannot be opened twice', () => {
    const pglite: DataSourceOptions = { type: 'postgres', driver: { Pool: class PGlitePool {} } };
    expect(() => chooseDatabase(pglite)).toThrow(/pglite.*cannot be opened twice/);
  });

  it.each(['mongodb', 'mssql'])('refuses %s, and names what there is', (type) => {
    expect(() => chooseDatabase(typed(type))).toThrow(
      new UnsupportedDatabaseError(type, 'supported are better-sqlite3, postgres, mysql, mariadb'),
    );
  });
});

it('a DataSource of our own connects as given, with the given pool and none of the entities', () => {
  const choice = chooseDatabase({ ...server, entities: [class Foreign {}], dropSchema: true, extra: { max: 3 } });
  const { options } = ownDataSource(choice, { tablePrefix: 'event_' });
  expect(options).toMatchObject({ url: server.url, poolSize: 7, extra: { max: 3 }, entities: [], dropSchema: false });
});
