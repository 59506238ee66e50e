/** Scope: what only PostgreSQL needs: waking other nodes, conflicts, the caller's connection as it happens to be set up. */
import { setTimeout as wait } from 'node:timers/promises';
import { types } from 'pg';
import { DataSource, type EntityManager } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import type { Topic } from '../../libs/events/src/store/event-store.js';
import { COMPLETED, event, leased, settlement, T0, until } from '../../libs/events/src/testing/store-contract/scene.js';
import { engineOptions } from '../../libs/events/src/typeorm/engine-options.js';
import { numberArray, textArray } from '../../libs/events/src/typeorm/postgres/array-parameter.js';
import { PostgresEngine } from '../../libs/events/src/typeorm/postgres/postgres.engine.js';
import { BEGIN, execute, query, type Verb } from '../../libs/events/src/typeorm/verb.js';
import { hasPostgres, postgresSchema, type TestDatabase } from '../support/databases.js';
import { type TypeOrmHarness, typeormHarness } from '../support/typeorm-harness.js';

let database: TestDatabase;
let harness: TypeOrmHarness;

const INT8 = 20;

describe.skipIf(!hasPostgres)('on PostgreSQL', () => {
  beforeEach(async () => {
    database = postgresSchema();
    harness = await typeormHarness(database);
  });
  afterEach(() => harness.dispose());

  /** Connections named so, leaving out the one that asks. */
  async function connections(name: string, what = 'true'): Promise<number[]> {
    const rows = await harness.hand<{ pid: number }>(
      `select pid from pg_stat_activity where application_name = '${name}' and ${what}`,
    );
    return rows.map(({ pid }) => pid);
  }

  /** Connections of the stores that this test made under that name, and that listen. */
  const listening = () => connections(String(database.schema), `query like 'listen %' and state = 'idle'`);

  it('takes arrays in its binary format as the values they are', async () => {
    const texts = ['', 'plain', `"quoted" \\ {braces}, 'and' NULL`, 'größer 日本 😀\n', null, 'x'.repeat(100_000)];
    const numbers = [0, -1, 1, null, 32_767, -32_768];
    const large = [2 ** 31, -(2 ** 31) - 1, 2 ** 32, 2 ** 53 - 1, -(2 ** 53) + 1, 1_800_000_000_000];
    const same = <T>(value: T) => value;
    const [row] = await harness.hand<object>(
      `select to_json($1::text[])::text as texts, to_json($2::smallint[])::text as small, to_json($3::int[])::text as ints,
        to_json($4::bigint[])::text as large, cardinality($5::text[]) + cardinality($6::bigint[]) as nothing`,
      [
        textArray(texts, same),
        numberArray('smallint', numbers, same),
        numberArray('int', numbers, same),
        numberArray('bigint', [...numbers, ...large], same),
        textArray([], same<string>),
        numberArray('bigint', [], same<number>),
      ],
    );
    const read = Object.entries(row).map(([name, value]) => [name, JSON.parse(String(value)) as unknown]);
    expect(Object.fromEntries(read)).toEqual({
      texts,
      small: numbers,
      ints: numbers,
      large: [...numbers, ...large],
      nothing: 0,
    });
  });

  it('takes a column of nulls as an empty array, which gives nulls beside a longer one', async () => {
    const nulls = [null, null];
    const rows = await harness.hand<object>(
      `select unnest($1::text[]) as a, unnest($2::text[]) as b, unnest($3::bigint[])::text as c, cardinality($2::text[]) as n`,
      [
        textArray(['x', 'y'], (value) => value),
        textArray(nulls, (value) => value),
        numberArray('bigint', nulls, (value) => value),
      ],
    );
    expect(rows).toEqual([
      { a: 'x', b: null, c: null, n: 0 },
      { a: 'y', b: null, c: null, n: 0 },
    ]);
  });

  it('a notification tells the other nodes its topic, not the one that sent it', async () => {
    const connection = { ...database.connection, applicationName: database.schema } as TestDatabase['connection'];
    const [one, two] = [await harness.another({ connection }), await harness.another({ connection })];
    const woken: Record<'one' | 'two', Topic[]> = { one: [], two: [] };
    one.listen((topic) => woken.one.push(topic));
    two.listen((topic) => woken.two.push(topic));
    await until('both listen', async () => (await listening()).length === 2);
    await one.notify('work');
    await two.notify('handlers');
    await harness.store.notify('work');
    // They arrive in the order sent, so with the last everything has arrived.
    await until('both are woken by the third', () => woken.one.length >= 2 && woken.two.length >= 2);
    expect(woken).toEqual({ one: ['handlers', 'work'], two: ['work', 'work'] });
  });

  it('an append that tells wakes the others with its commit, not before and not without', async () => {
    const connection = { ...database.connection, applicationName: database.schema } as TestDatabase['connection'];
    const node = await harness.another({ connection });
    const woken: Topic[] = [];
    node.listen((topic) => woken.push(topic));
    await until('it listens', async () => (await listening()).length === 1);
    const append = (id: string, manager?: EntityManager) =>
      harness.store.append({ events: [event(id)], registryVersion: 1, now: T0, tell: true }, manager);
    const rolledBack = harness.store.transaction(async (manager) => {
      await append('e1', manager);
      throw new Error('rolled back');
    });
    await expect(rolledBack).rejects.toThrow('rolled back');
    await harness.store.transaction(async (manager) => {
      await append('e2', manager);
      await harness.store.notify('handlers');
      await until('what was told before the commit is heard', () => woken.length > 0);
      expect(woken).toEqual(['handlers']);
    });
    await until('the commit is heard', () => woken.length > 1);
    await append('e3');
    await until('so is a commit of its own', () => woken.length > 2);
    expect(woken).toEqual(['handlers', 'work', 'work']);
  });

  it('nodes with other tables are left asleep', async () => {
    const stranger = await harness.another({ tablePrefix: 'other_' });
    const woken: string[] = [];
    stranger.listen(() => woken.push('stranger'));
    const friend = await harness.another();
    friend.listen(() => woken.push('friend'));
    await until('the friend is woken', async () => {
      await harness.store.notify('work');
      return woken.includes('friend');
    });
    await wait(50);
    expect(woken).not.toContain('stranger');
  });

  it('a lost connection is made again, and the node hears every topic, for what it may have missed', async () => {
    const connection = { ...database.connection, applicationName: database.schema } as TestDatabase['connection'];
    const node = await harness.another({ connection });
    const woken: Topic[] = [];
    node.listen((topic) => woken.push(topic));
    await until('it listens', async () => (await listening()).length === 1);
    const [pid] = await listening();
    await harness.hand(`select pg_terminate_backend(${pid})`);
    await until('it is woken', () => woken.length > 0);
    expect(woken).toEqual(['work', 'handlers']);
    expect(await listening()).not.toContain(pid);
    woken.length = 0;
    await until('it hears others again', async () => {
      await harness.store.notify('work');
      return woken.includes('work');
    });
  });

  it('close ends every connection, the listening one too', async () => {
    const connection = { ...database.connection, applicationName: database.schema } as TestDatabase['connection'];
    const node = await harness.another({ connection });
    node.listen(() => {});
    await until('it listens', async () => (await listening()).length === 1);
    await node.close();
    await until('all are gone', async () => (await connections(String(database.schema))).length === 0);
  });

  it('close while the listening connection is being made ends that as well', async () => {
    const connection = { ...database.connection, applicationName: database.schema } as TestDatabase['connection'];
    const node = await harness.another({ connection });
    node.listen(() => {});
    await node.close();
    await until('all are gone', async () => (await connections(String(database.schema))).length === 0);
    await wait(300);
    expect(await connections(String(database.schema))).toEqual([]);
  });

  it('a deadlock between two verbs is resolved within the store', async () => {
    const source = await new DataSource(engineOptions(database.connection, { tablePrefix: 'event_' })).initialize();
    const engine = new PostgresEngine(source, new SystemClock(), Math.random);
    const lock = `select id from "${database.schema}".event_lock where id = $1 for update`;
    let runs = 0;
    function* locking(first: number, second: number): Verb<string> {
      runs++;
      yield BEGIN;
      yield* query(lock, [first]);
      yield* execute('select pg_sleep(0.1)');
      yield* query(lock, [second]);
      return `${first} before ${second}`;
    }
    const both = Promise.all([engine.run(() => locking(1, 2)), engine.run(() => locking(2, 1))]);
    expect(await both).toEqual(['1 before 2', '2 before 1']);
    expect(runs).toBe(3);
    await source.destroy();
  });

  it('a connection that the server ends in the middle of a verb fails that verb, and not the process', async () => {
    const source = await new DataSource(engineOptions(database.connection, { tablePrefix: 'event_' })).initialize();
    const engine = new PostgresEngine(source, new SystemClock(), Math.random);
    await engine.prepareSessions();
    function* ended(): Verb<void> {
      yield BEGIN;
      yield* execute('select pg_terminate_backend(pg_backend_pid())');
    }
    // The first connection of a pool comes about in another way than the rest.
    for (let connection = 1; connection <= 2; connection++) {
      await expect(engine.run(ended)).rejects.toMatchObject({ code: 'EVENTS_STORE_UNAVAILABLE' });
    }
    expect(await engine.run(() => query<{ n: number }>('select 1 as n'))).toEqual([{ n: 1 }]);
    await source.destroy();
  });

  it("does not mind how the application's process parses numbers, nor where its connection searches for tables", async () => {
    const parse = types.getTypeParser(INT8);
    types.setTypeParser(INT8, BigInt as unknown as (value: string) => number);
    const app = await new DataSource(database.connection).initialize();
    try {
      const { node, delivery } = await leased(harness.store);
      const { version } = await harness.store.loadRegistry();
      const request = { events: [event('e2', ['mail'], { orderingKey: 'k' })], registryVersion: version, now: T0 };
      const result = await app.transaction(async (manager) => {
        await manager.query('set local search_path = pg_catalog');
        return {
          appended: await harness.store.append(request, manager),
          settled: await harness.store.settleIn(manager, node, settlement(delivery, COMPLETED), T0),
        };
      });
      expect(result).toEqual({ appended: { stored: [true], fannedOut: true }, settled: true });
      expect(await harness.store.findDeliveries('e2')).toMatchObject([{ id: 2, seq: 2, state: 'pending' }]);
    } finally {
      types.setTypeParser(INT8, parse);
      await app.destroy();
    }
  });

  it('a lease lost under a transaction with a snapshot is a lost lease, not an error', async () => {
    const app = await new DataSource(database.connection).initialize();
    const { node, delivery } = await leased(harness.store);
    const runner = app.createQueryRunner();
    await runner.startTransaction('REPEATABLE READ');
    await runner.query('select 1');
    await runner.query(`select count(*) from "${database.schema}".event_delivery`);
    await harness.store.removeNode(node, T0);
    expect(await harness.store.settleIn(runner.manager, node, settlement(delivery, COMPLETED), T0)).toBe(false);
    await runner.rollbackTransaction();
    await runner.release();
    await app.destroy();
  });

  it('tells the time of the database', async () => {
    const [{ now }] = await harness.hand<{ now: string }>('select extract(epoch from clock_timestamp()) * 1000 as now');
    const told = await harness.store.ping();
    expect(Number.isInteger(told)).toBe(true);
    expect(Math.abs(told - Number(now))).toBeLessThan(1_000);
  });

  it('a statement that fails leaves its connection usable', async () => {
    const bad = { events: [event('bad', [], { payload: '{' })], registryVersion: 1, now: T0 };
    for (let times = 0; times < 10; times++) {
      await expect(harness.store.append(bad)).rejects.toMatchObject({ code: '22P02' });
      await expect(
        harness.store.append({ ...bad, events: [{ ...bad.events[0], orderingKey: 'k' }] }),
      ).rejects.toMatchObject({ code: '22P02' });
    }
    expect(await harness.store.append({ ...bad, events: [event('good')] })).toEqual({
      stored: [true],
      fannedOut: true,
    });
  });
});
