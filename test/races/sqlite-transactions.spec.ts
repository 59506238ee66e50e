/**
 * Scope: transactions of the library on a SQLite file, on the one connection of the application's DataSource, while the
 * application and another process use the file: every row is exact, nobody meets SQLITE_BUSY, nothing blocks.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, EntityManager } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import { TypeOrmTransactions } from '../../libs/events/src/typeorm/transactions/typeorm-transactions.js';
import { sqliteKind, type OwnDatabase } from '../support/database-kinds.js';
import { openShop, Order, orderNames, Stock } from '../support/shop.js';

const MOST_BLOCKED_MS = 100;
const TICK_MS = 10;
/** A disk that takes its time over one sync does not do so each time; what blocks the loop because of this code does. */
const MOST_ROUNDS = 3;

let database: OwnDatabase;
let app: DataSource;
let transactions: TypeOrmTransactions;
const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);

beforeEach(async () => {
  unhandled.length = 0;
  process.on('unhandledRejection', note);
  database = await sqliteKind.create();
  app = await openShop(database.options);
  transactions = new TypeOrmTransactions(app, { transactionTimeoutMs: 20_000, clock: new SystemClock() });
  await transactions.open();
});

afterEach(async () => {
  await transactions.close();
  await app.destroy();
  await database.drop();
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

/** One writer: what it leaves behind, and the error that makes it roll back, if one does. */
interface Writer {
  readonly names: readonly string[];
  readonly fails: boolean;
  readonly run: () => Promise<unknown>;
}

class RollBack extends Error {}

/** Every third waits for a timer inside, every fourth rolls back. */
function writer(
  kind: string,
  n: number,
  open: (work: (manager: EntityManager) => Promise<void>) => Promise<void>,
): Writer {
  const names = [`${kind} ${n} first`, `${kind} ${n} last`];
  const fails = n % 4 === 3;
  const work = async (manager: EntityManager) => {
    const orders = manager.getRepository(Order);
    await orders.count();
    await orders.insert({ name: `${kind} ${n} first` });
    if (n % 3 === 0) await sleep(3 + (n % 5));
    await orders.save({ name: `${kind} ${n} last` });
    if (fails) throw new RollBack();
  };
  return { names, fails, run: () => open(work) };
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

function crowd(): Writer[] {
  const ours = (work: (manager: EntityManager) => Promise<void>) => transactions.transaction(work);
  // A handler: reads with a repository of its own, outside, before and after its transaction.
  const asHandler = async (work: (manager: EntityManager) => Promise<void>) => {
    await app.getRepository(Order).findOneBy({ name: 'none' });
    await transactions.transaction(async (manager) => {
      await app.getRepository(Order).count();
      await work(manager);
    });
    await app.getRepository(Order).count();
  };
  const save = (n: number): Writer => {
    const name = `save ${n}`;
    return { names: [name], fails: false, run: () => app.getRepository(Order).save({ name }) };
  };
  const saveMany = (n: number): Writer => {
    const names = range(3).map((row) => `rows ${n} ${row}`);
    return { names, fails: false, run: () => app.getRepository(Order).save(names.map((name) => ({ name }))) };
  };
  return [
    ...range(20).map((n) => writer('publisher', n, ours)),
    ...range(20).map((n) => writer('handler', n, asHandler)),
    ...range(20).map(save),
    ...range(10).map(saveMany),
    ...range(10).map((n) => writer('app', n, (work) => app.transaction(work))),
  ];
}

/** Interleaves the kinds: one of each, then the next of each. */
function shuffled(writers: Writer[]): Writer[] {
  return writers
    .map((writer, index) => ({ writer, key: (index * 37) % 83 }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ writer }) => writer);
}

async function expectExact(writers: readonly Writer[], results: readonly PromiseSettledResult<unknown>[]) {
  const problems = results.flatMap((result, index) => {
    const { names, fails } = writers[index];
    if (result.status === 'fulfilled') return fails ? [`${names[0]}: committed`] : [];
    return fails && result.reason instanceof RollBack ? [] : [`${names[0]}: ${String(result.reason)}`];
  });
  expect(problems).toEqual([]);
  const kept = writers.filter(({ fails }) => !fails).flatMap(({ names }) => names);
  expect(await orderNames(app)).toEqual(kept.toSorted());
}

/** How long this thread was ready to run while others had the processors; that is the machine's doing. 0 where nobody counts it. */
function waitedForCpuMs(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}

/** Runs `work` and answers the longest time in which the event loop did not turn. */
async function longestBlock(work: () => Promise<void>): Promise<number> {
  let longest = 0;
  let last = performance.now() - waitedForCpuMs();
  const tick = () => {
    const now = performance.now() - waitedForCpuMs();
    longest = Math.max(longest, now - last - TICK_MS);
    last = now;
  };
  const ticks = setInterval(tick, TICK_MS);
  try {
    await work();
  } finally {
    // A loop that did not turn at all has not ticked either.
    tick();
    clearInterval(ticks);
  }
  return longest;
}

/** Does `work` on an empty table, again if the loop was blocked; answers the least of the longest blocks. */
async function blockedBy(work: () => Promise<void>): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < MOST_ROUNDS && least >= MOST_BLOCKED_MS; round++) {
    await app.getRepository(Order).clear();
    least = Math.min(least, await longestBlock(work));
  }
  return least;
}

describe('20 transactions of the publisher, 20 of handlers, 20 plain saves, 10 of several rows, 10 transactions of the app', () => {
  it('all at once: every row is exact and the event loop is never blocked', async () => {
    const writers = crowd();
    const blocked = await blockedBy(async () => {
      await expectExact(writers, await Promise.allSettled(writers.map(({ run }) => run())));
    });
    expect(blocked).toBeLessThan(MOST_BLOCKED_MS);
  });

  it('in mixed order, the app after ours: every row is exact', async () => {
    const writers = shuffled(crowd());
    const first = writers.findIndex(({ names }) => names[0]?.startsWith('publisher'));
    writers.unshift(...writers.splice(first, 1));
    await expectExact(writers, await Promise.allSettled(writers.map(({ run }) => run())));
  });

  it('while another process writes to the file: every row is exact, nobody meets SQLITE_BUSY, nothing blocks', async () => {
    const path = String(database.options.database);
    const child = fork(fileURLToPath(new URL('../support/busy-writer.mjs', import.meta.url)), [path]);
    await once(child, 'message');
    const writers = crowd();
    const blocked = await blockedBy(async () => {
      await expectExact(writers, await Promise.allSettled(writers.map(({ run }) => run())));
    });
    child.send('stop');
    const [written] = (await once(child, 'message')) as [number];
    await once(child, 'exit');
    const [{ n }] = await app.query<[{ n: number }]>('select count(*) as n from elsewhere');
    expect({ n, some: written > 0 }).toEqual({ n: written, some: true });
    expect(blocked).toBeLessThan(MOST_BLOCKED_MS);
  });

  it('a burst of transactions that wait for nothing lets the event loop turn in between', async () => {
    const insert = (name: string) => (manager: EntityManager) => manager.getRepository(Order).insert({ name });
    const blocked = await blockedBy(async () => {
      await Promise.all(range(600).map((n) => transactions.transaction(insert(`${n}`))));
    });
    expect(await app.getRepository(Order).count()).toBe(600);
    expect(blocked).toBeLessThan(MOST_BLOCKED_MS);
  });

  it('a counter that all of them raise by reading and writing comes out right', async () => {
    await app.getRepository(Stock).insert({ article: 'pen', count: 0 });
    const raise = async (manager: EntityManager) => {
      const { count } = await manager.getRepository(Stock).findOneByOrFail({ article: 'pen' });
      await sleep(1);
      await manager.getRepository(Stock).save({ article: 'pen', count: count + 1 });
    };
    await Promise.all([
      ...range(20).map(() => transactions.transaction(raise)),
      ...range(10).map(() => app.transaction(raise)),
    ]);
    expect(await app.getRepository(Stock).find()).toEqual([{ article: 'pen', count: 30 }]);
  });
});
