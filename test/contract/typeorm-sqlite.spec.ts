/** Scope: what only SQLite needs: durability settings, a busy file without a blocked event loop, joining a caller's transaction. */
import Database from 'better-sqlite3';
import { setTimeout as wait } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { event, T0 } from '../../libs/events/src/testing/store-contract/scene.js';
import { type TestDatabase, sqliteFile } from '../support/databases.js';
import { type TypeOrmHarness, typeormHarness } from '../support/typeorm-harness.js';

let database: TestDatabase;
let harness: TypeOrmHarness;
let file: string;

beforeEach(async () => {
  database = sqliteFile();
  file = String(database.connection.database);
  harness = await typeormHarness(database);
});
afterEach(() => harness.dispose());

/** Another program with the file open. */
function stranger(): Database.Database {
  return new Database(file, { timeout: 0 });
}

/** An application's DataSource that this library has never touched: its transactions are TypeORM's own, deferred. */
async function application(): Promise<DataSource> {
  return new DataSource({ ...database.connection }).initialize();
}

/** The longest time that the event loop stood still while `work` ran, in milliseconds. */
async function longestBlock(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  try {
    await work();
    await wait(2);
  } finally {
    clearInterval(timer);
  }
  return longest;
}

const appending = (...ids: string[]) => ({ events: ids.map((id) => event(id)), registryVersion: 1, now: T0 });

describe('the engine on a SQLite file', () => {
  it('keeps every commit through a power cut, and never waits inside the driver', async () => {
    const handles: Database.Database[] = [];
    const prepareDatabase = (handle: unknown) => void handles.push(handle as Database.Database);
    const store = await harness.another({
      connection: { ...database.connection, prepareDatabase } as TestDatabase['connection'],
    });
    await store.ping();
    const [handle] = handles;
    const pragma = (name: string) => handle.pragma(name, { simple: true });
    expect({
      handles: handles.length,
      journal: pragma('journal_mode'),
      synchronous: pragma('synchronous'),
      timeout: pragma('busy_timeout'),
    }).toEqual({ handles: 1, journal: 'wal', synchronous: 2, timeout: 0 });
  });

  it('waits for another program that is writing, and the event loop goes on', async () => {
    const other = stranger();
    other.exec('begin immediate');
    const blocked = await longestBlock(async () => {
      const appended = harness.store.append(appending('e1'));
      const still = await Promise.race([appended, wait(300, 'waiting')]);
      expect(still).toBe('waiting');
      other.exec('commit');
      expect(await appended).toEqual({ stored: [true], fannedOut: true });
    });
    other.close();
    expect(blocked).toBeLessThan(100);
  });

  it('reads while another program is writing, and while a transaction of ours is open', async () => {
    await harness.store.append(appending('e1'));
    const other = stranger();
    other.exec('begin immediate');
    expect((await harness.store.findEvent('e1'))?.id).toBe('e1');
    other.exec('commit');
    other.close();
    await harness.store.transaction(async () => {
      // A write would wait for this very transaction, for ever.
      expect((await harness.store.findEvent('e1'))?.id).toBe('e1');
      expect(await harness.store.stage(T0, 10)).toEqual({ staged: 0, nextDueAt: null });
    });
  });
});

describe("a verb in the application's transaction on SQLite", () => {
  it('waits for the lock without blocking the event loop, even if the transaction is a deferred one', async () => {
    const app = await application();
    const other = stranger();
    other.exec('begin immediate');
    other.exec(`insert into event_inbox (id, type, payload) values ('theirs', 'a.b', '1')`);
    const blocked = await longestBlock(async () => {
      const published = app.transaction((manager) => harness.store.append(appending('e1'), manager));
      expect(await Promise.race([published, wait(300, 'waiting')])).toBe('waiting');
      other.exec('commit');
      expect(await published).toEqual({ stored: [true], fannedOut: true });
    });
    expect(blocked).toBeLessThan(100);
    expect((await harness.store.findEvent('e1'))?.seq).toBe(2);
    other.close();
    await app.destroy();
  });

  it('fails at once if the transaction has read before somebody else wrote: its snapshot is too old', async () => {
    const app = await application();
    const published = app.transaction(async (manager) => {
      await manager.query('select count(*) from event_inbox');
      await harness.store.append(appending('theirs'));
      return harness.store.append(appending('e1'), manager);
    });
    const startedAt = performance.now();
    await expect(published).rejects.toMatchObject({ code: 'SQLITE_BUSY_SNAPSHOT' });
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(await harness.store.findEvent('e1')).toBeNull();
    await app.destroy();
  });

  it('leaves the transaction as it was if it fails, and its busy timeout as it is', async () => {
    const app = await application();
    await app.query('create table payment (id text)');
    const bad = event('bad', [], { type: null as unknown as string });
    await app.transaction(async (manager) => {
      await manager.query(`insert into payment values ('p1')`);
      const failing = harness.store.append({ ...appending(), events: [event('good'), bad] }, manager);
      await expect(failing).rejects.toMatchObject({ code: 'SQLITE_CONSTRAINT_NOTNULL' });
    });
    expect(await harness.store.findEvent('good')).toBeNull();
    expect(await app.query('select id from payment')).toEqual([{ id: 'p1' }]);
    expect(await app.query('pragma busy_timeout')).toEqual([{ timeout: 5000 }]);
    await app.destroy();
  });

  it('does not mind a connection that answers bigints', async () => {
    const prepareDatabase = (handle: unknown) => void (handle as Database.Database).defaultSafeIntegers(true);
    const app = await new DataSource({
      ...database.connection,
      prepareDatabase,
    } as TestDatabase['connection']).initialize();
    const request = { ...appending(), events: [event('e1', ['mail'])] };
    expect(await app.transaction((manager) => harness.store.append(request, manager))).toEqual({
      stored: [true],
      fannedOut: true,
    });
    expect((await harness.store.findDeliveries('e1')).map(({ id, seq, state }) => ({ id, seq, state }))).toEqual([
      { id: 1, seq: 1, state: 'pending' },
    ]);
    await app.destroy();
  });
});
