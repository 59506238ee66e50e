import { DataSource } from 'typeorm';
import { afterAll } from 'vitest';
import { dialectOf, type SupportedDatabase } from '../../libs/events/src/typeorm/dialect-type.js';
import { TABLE_NAMES, tables } from '../../libs/events/src/typeorm/tables.js';
import type { MakeDatabase, TestDatabase } from './databases.js';

/** What the migrations put there. */
const KEPT: readonly string[] = ['registry', 'lock', 'migration'];

/**
 * One database for all tests of a block, one after the other: each leaves it empty. Deleting takes a fraction of the time
 * of making the tables anew.
 */
export function emptiedDatabase(make: MakeDatabase): MakeDatabase {
  let made: Promise<{ database: TestDatabase; source: DataSource }> | undefined;
  const once = async () => {
    const database = await make();
    return { database, source: await new DataSource(database.connection).initialize() };
  };
  afterAll(async () => {
    const { database, source } = (await made) ?? {};
    await source?.destroy();
    await database?.remove();
  });
  return async () => {
    const { database, source } = await (made ??= once());
    return { ...database, remove: () => emptyTables(source, database.schema) };
  };
}

/** Leaves the library's tables as the migrations have made them. @param others tables of the test that are emptied too. */
export async function emptyTables(source: DataSource, schema?: string, others: readonly string[] = []): Promise<void> {
  const table = tables(dialectOf(source.options.type as SupportedDatabase), 'event_', schema);
  const emptied = [...TABLE_NAMES.filter((name) => !KEPT.includes(name)).map((name) => table[name]), ...others];
  await source.transaction(async (manager) => {
    for (const name of emptied) await manager.query(`delete from ${name}`);
    await manager.query(`update ${table.registry} set version = 1`);
  });
}
