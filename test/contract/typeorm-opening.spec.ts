/** Scope: opening a store: what it refuses, and what it leaves behind then. */
import { DataSource } from 'typeorm';
import { describe, expect, it, vi } from 'vitest';
import { SchemaBehindError } from '../../libs/events/src/errors/schema-behind.error.js';
import { sqliteFile } from '../support/databases.js';
import { fresh, storeOn } from '../support/unopened-store.js';

describe('opening', () => {
  it('says which package to install when the driver is missing', async () => {
    const { connection } = await fresh(sqliteFile);
    const { PlatformTools } = await import('typeorm/platform/PlatformTools.js');
    const load = vi.spyOn(PlatformTools, 'load').mockImplementation(() => {
      throw new Error('Cannot find module');
    });
    try {
      await expect(storeOn({ connection, schema: undefined }).open()).rejects.toMatchObject({
        code: 'EVENTS_MISSING_DRIVER',
        driver: 'better-sqlite3',
      });
    } finally {
      load.mockRestore();
    }
  });

  it('leaves no connection behind when it fails', async () => {
    const database = await fresh(sqliteFile);
    const destroy = vi.spyOn(DataSource.prototype, 'destroy');
    try {
      await expect(storeOn(database, false).open()).rejects.toThrow(SchemaBehindError);
      expect(destroy).toHaveBeenCalledOnce();
    } finally {
      destroy.mockRestore();
    }
  });

  it('of a store that is open already does nothing, and using a store that is not says so', async () => {
    const store = storeOn(await fresh(sqliteFile));
    await expect(store.ping()).rejects.toThrow('not open');
    await store.open();
    await store.open();
    await store.close();
    await store.close();
    await expect(store.ping()).rejects.toThrow('not open');
  });
});
