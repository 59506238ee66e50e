/** Scope: what only MariaDB and MySQL could get wrong: locks, sessions, exact names, packets, DDL without transactions. */
import { DataSource, type EntityManager } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import {
  append,
  claim,
  claimOne,
  COMPLETED,
  event,
  eventIds,
  failure,
  join,
  leased,
  names,
  settlement,
  T0,
} from '../../libs/events/src/testing/store-contract/scene.js';
import { Dialect } from '../../libs/events/src/typeorm/dialect.js';
import { engineOptions } from '../../libs/events/src/typeorm/engine-options.js';
import { eventMigrationSql } from '../../libs/events/src/typeorm/migrations/event-migrations.js';
import { MysqlEngine } from '../../libs/events/src/typeorm/mysql/mysql.engine.js';
import { BEGIN, execute, query, type Verb } from '../../libs/events/src/typeorm/verb.js';
import { verbs } from '../../libs/events/src/typeorm/verbs.js';
import { hasMariadb, mariadbDatabase, type TestDatabase } from '../support/databases.js';
import { type TypeOrmHarness, typeormHarness } from '../support/typeorm-harness.js';

/** A session as an application may have it. */
const ODD_SESSION = [
  `set session sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,ONLY_FULL_GROUP_BY'`,
  'set names latin1',
  `set session time_zone = '-11:00'`,
  'set session transaction isolation level serializable',
  'set session sql_safe_updates = 1',
];

describe.skipIf(!hasMariadb)('on MariaDB', () => {
  let database: TestDatabase;
  let harness: TypeOrmHarness;
  const closing: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    database = await mariadbDatabase();
    harness = await typeormHarness(database);
  });
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
    await harness.dispose();
  });

  async function open(options = database.connection): Promise<DataSource> {
    const source = await new DataSource(options).initialize();
    closing.push(() => source.destroy());
    return source;
  }

  /** An engine of the test's own, with the verbs. */
  async function openEngine() {
    const source = await open(engineOptions(database.connection, { tablePrefix: 'event_' }));
    const engine = new MysqlEngine(source, new SystemClock(), Math.random);
    await engine.prepareSessions('MariaDB');
    return { engine, verbs: verbs(new Dialect(source, 'event_', undefined)) };
  }

  /** A transaction that stays open until the test has ended. */
  async function openTransaction(): Promise<EntityManager> {
    const runner = (await open()).createQueryRunner();
    await runner.startTransaction('READ COMMITTED');
    closing.push(async () => {
      await runner.rollbackTransaction();
      await runner.release();
    });
    return runner.manager;
  }

  it('a claim locks what it takes and no more: another gets its whole share at once, and publishes go on', async () => {
    const { store } = harness;
    const node = await join(store, ['mail', 'ledger']);
    await append(
      store,
      names('e', 40).map((id) => event(id, ['mail'])),
    );
    const { engine, verbs: all } = await openEngine();
    const request = { node, wants: [{ handler: 'mail', limit: 10 }], limit: 10, suspect: true };
    const first = await engine.runIn(await openTransaction(), () => all.claim(request));
    const second = await store.claim(request);
    expect([first, second].map((claimed) => eventIds(claimed ?? []))).toEqual([
      names('e', 40).slice(0, 10),
      names('e', 40).slice(10, 20),
    ]);
    expect(await append(store, [event('new', ['mail', 'ledger'])])).toEqual({ stored: [true], fannedOut: true });
  });

  it('ids, handlers and keys are compared exactly: case, accents, trailing spaces', async () => {
    const { store } = harness;
    const alike = ['a', 'A', 'á', 'a ', ' a', 'a\t', 'ß', 'ss', '𝒂'];
    const node = await join(store, alike);
    const { stored } = await append(
      store,
      alike.map((name) => event(name, [name])),
    );
    expect(stored).toEqual(alike.map(() => true));
    for (const name of alike) expect(eventIds(await claim(store, node, 10, [name]))).toEqual([name]);
    const claims = alike.map((key, owner) => ({ handler: 'a', key, owner, expiresAt: T0 + 1_000 }));
    expect(await store.claimKeys(claims, T0)).toEqual(alike.map(() => ({ state: 'claimed' })));
    const takes = alike.map((key) => ({ handler: 'a', key, burst: 1, intervalMs: 1_000 }));
    expect((await store.takeTokens(takes, T0)).map(({ slotAt }) => slotAt)).toEqual(alike.map(() => null));
  });

  it("an application's session changes nothing: quotes, backslashes, character set, time zone, isolation", async () => {
    const { store } = harness;
    const app = await open({ ...database.connection, extra: { flags: '-FOUND_ROWS' } });
    const id = `it's a "\\" \\' b\\\\ \` ü 𝒂`;
    const payload = JSON.stringify({ text: `${id}\n\0\u2028` });
    const { node, delivery } = await leased(store);
    await store.settle(
      node,
      [settlement(delivery, { outcome: 'retry', availableAt: T0, failure: failure(1, { message: id }) })],
      T0,
    );
    await store.stage(T0, 10);
    const again = await claimOne(store, node);
    const { version } = await store.loadRegistry();
    const answer = await app.transaction(async (manager) => {
      for (const sql of ODD_SESSION) await manager.query(sql);
      const events = [event(id, ['mail'], { payload, orderingKey: id, headers: payload }), event('e1'), event(id)];
      return {
        appended: await store.append({ events, registryVersion: version, now: T0 }, manager),
        again: await store.append({ events, registryVersion: version, now: T0 }, manager),
        settled: await store.settleIn(manager, node, settlement(again, { ...COMPLETED, attempts: 2 }), T0),
      };
    });
    expect(answer).toEqual({
      appended: { stored: [true, false, false], fannedOut: true },
      again: { stored: [false, false, false], fannedOut: true },
      settled: true,
    });
    expect(await store.findEvent(id)).toMatchObject({ id, payload, headers: payload, orderingKey: id, receivedAt: T0 });
    expect(await store.findDeliveries(id)).toMatchObject([{ handler: 'mail', state: 'pending' }]);
    expect(await store.findDeliveries('e1')).toMatchObject([{ state: 'completed', failures: [{ message: id }] }]);
  });

  it('a publish in a transaction whose snapshot is old goes by the handlers of now', async () => {
    const { store } = harness;
    const node = await join(store);
    const before = await store.loadRegistry();
    const app = await open();
    const appended = await app.transaction('REPEATABLE READ', async (manager) => {
      await manager.query('select count(*) from event_registry');
      await store.registerHandlers(
        node,
        [{ name: 'late', priority: 50, ordered: false, onDeadLetter: 'block', patterns: ['order.*'] }],
        T0,
      );
      const events = [event('e1', ['mail'])];
      return store.append({ events, registryVersion: before.version, now: T0 }, manager);
    });
    expect(appended).toEqual({ stored: [true], fannedOut: false });
  });

  it('a publish inside a long transaction keeps no node from registering its handlers', async () => {
    const { store } = harness;
    const node = await join(store);
    const { version } = await store.loadRegistry();
    await store.append({ events: [event('e1', ['mail'])], registryVersion: version, now: T0 }, await openTransaction());
    await join(store, ['ledger'], 'node-b');
    expect((await store.loadRegistry()).handlers.map(({ name }) => name)).toEqual(['ledger', 'mail']);
    expect(await store.beat(node)).toBe(true);
  });

  it('a schema is another database of the server, and one transaction reaches both', async () => {
    const other = await mariadbDatabase();
    closing.push(() => other.remove());
    const schema = new URL((other.connection as { url: string }).url).pathname.slice(1);
    const store = await harness.another({ schema });
    closing.push(() => store.close());
    const app = await open();
    await app.query('create table orders (n integer)');
    const { version } = await store.loadRegistry();
    const publish = (id: string, fails: boolean) =>
      app.transaction(async (manager) => {
        await manager.query('insert into orders (n) values (1)');
        await store.append({ events: [event(id)], registryVersion: version, now: T0 }, manager);
        if (fails) throw new Error('rolled back');
      });
    await publish('kept', false);
    await expect(publish('gone', true)).rejects.toThrow('rolled back');
    expect(await Promise.all(['kept', 'gone'].map((id) => store.findEvent(id)))).toMatchObject([{ id: 'kept' }, null]);
    expect(await app.query('select n from orders')).toEqual([{ n: 1 }]);
    expect(await harness.store.findEvent('kept')).toBeNull();
  });

  it('a deadlock between two verbs is resolved within the store', async () => {
    const { engine } = await openEngine();
    const lock = 'select id from event_lock where id = ? for update';
    let runs = 0;
    function* locking(first: number, second: number): Verb<string> {
      runs++;
      yield BEGIN;
      yield* query(lock, [first]);
      yield* execute('do sleep(0.2)');
      yield* query(lock, [second]);
      return `${first} before ${second}`;
    }
    const both = Promise.all([engine.run(() => locking(1, 2)), engine.run(() => locking(2, 1))]);
    expect(await both).toEqual(['1 before 2', '2 before 1']);
    expect(runs).toBe(3);
  });

  it('a fence that meets a conflict is a lost lease only if the lease is lost', async () => {
    const { store } = harness;
    const { node, delivery } = await leased(store);
    const holder = await openTransaction();
    await holder.query(`select * from event_delivery where id = ${delivery.id} for update`);
    const app = await open();
    const impatient = () =>
      app.transaction(async (manager) => {
        await manager.query('set session innodb_lock_wait_timeout = 0');
        return store.settleIn(manager, node, settlement(delivery, COMPLETED), T0);
      });
    await expect(impatient()).rejects.toMatchObject({ errno: 1205 });
    await holder.query(`delete from event_delivery where id = ${delivery.id}`);
    await holder.queryRunner?.commitTransaction();
    await holder.queryRunner?.startTransaction();
    expect(await impatient()).toBe(false);
  });

  it('a connection that is cut fails what was on it, and nothing after', async () => {
    const { engine } = await openEngine();
    function* cut(): Verb<void> {
      yield BEGIN;
      yield* execute('do 1');
      yield* execute('kill connection_id()');
      yield* execute('do 1');
    }
    for (let times = 0; times < 10; times++) await expect(engine.run(cut)).rejects.toThrow(/connection|Connection/);
    function* level(): Verb<object[]> {
      return yield* query('select @@tx_isolation as level, @@time_zone as zone, @@idle_transaction_timeout as idle');
    }
    const after = await Promise.all(Array.from({ length: 10 }, () => engine.run(level)));
    expect(after).toEqual(after.map(() => [{ level: 'READ-COMMITTED', zone: '+00:00', idle: 10 }]));
  });

  it('stores more than fits into one packet, in the order given', async () => {
    const { store } = harness;
    const payload = JSON.stringify('x'.repeat(2 ** 20 - 2));
    const ids = names('e', 12);
    const node = await join(store);
    await append(
      store,
      ids.map((id) => event(id, ['mail'], { payload })),
    );
    const claimed = await claim(store, node, 20);
    expect(eventIds(claimed)).toEqual(ids);
    expect(await store.payload(claimed[11].event.seq)).toBe(payload);
  });

  it('a migration that died at any statement is finished by the next node', async () => {
    const scripts = eventMigrationSql({ type: 'mariadb' });
    const statements = scripts.flatMap(({ up }) => up);
    for (let done = 1; done < statements.length; done++) {
      const half = await mariadbDatabase();
      closing.push(() => half.remove());
      const source = await new DataSource({ ...half.connection, ...TOLERANT }).initialize();
      for (const sql of statements.slice(0, done)) await source.query(sql);
      await source.destroy();
      const finished = await typeormHarness(half);
      expect(
        await finished.hand(
          'select (select count(*) from {lock}) as locks, (select version from {registry}) as version',
        ),
      ).toEqual([{ locks: '2048', version: '1' }]);
      expect(await finished.hand('select name from {migration} order by timestamp')).toEqual(
        scripts.map(({ name }) => ({ name })),
      );
      await finished.dispose();
    }
  });
});

/** As TypeORM has it by default. */
const TOLERANT = { supportBigNumbers: true, bigNumberStrings: true } as const;
