/** Scope: who may use a connection when; the connection itself is a flag here. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../testing/manual-clock.js';
import { ConnectionTurns } from './connection-turns.js';

const PATIENCE_MS = 5_000;

let clock: ManualClock;
let inTransaction: boolean;
let turns: ConnectionTurns;
let log: string[];

beforeEach(() => {
  clock = new ManualClock();
  inTransaction = false;
  turns = new ConnectionTurns(() => inTransaction, clock, PATIENCE_MS);
  log = [];
});

const statement = (name: string) => turns.statement(async () => log.push(name));
const start = (name: string) =>
  turns.start(async () => {
    log.push(name);
    inTransaction = true;
  });
const end = (name: string) =>
  turns.end(async () => {
    log.push(name);
    inTransaction = false;
  });

describe('ConnectionTurns', () => {
  it('keeps everything back while an exclusive turn lasts, and then lets it through in order', async () => {
    const endTurn = await turns.exclusive();
    void statement('1');
    void start('begin');
    void statement('2');
    const next = turns.exclusive().then(() => log.push('exclusive'));
    await clock.advance(10);
    expect(log).toEqual([]);
    endTurn();
    await clock.advance(10);
    expect(log).toEqual(['1', 'begin']);
    await end('commit');
    await next;
    expect(log).toEqual(['1', 'begin', 'commit', '2', 'exclusive']);
  });

  it('lets statements through while a transaction of the application is open, even if others wait', async () => {
    await start('begin');
    const exclusive = turns.exclusive().then(() => log.push('exclusive'));
    await statement('its own');
    await start('nested');
    await end('commit');
    await exclusive;
    expect(log).toEqual(['begin', 'its own', 'nested', 'commit', 'exclusive']);
  });

  it('starts transactions that are asked for at once one after the other', async () => {
    const starts = [start('one'), start('two')];
    await clock.advance(10);
    expect(log).toEqual(['one']);
    await end('end one');
    await Promise.all(starts);
    expect(log).toEqual(['one', 'end one', 'two']);
  });

  it('gives no turn between the end of a transaction and the moment in which TypeORM has noted it', async () => {
    await start('begin');
    const waiting = turns.exclusive();
    await end('commit');
    let given = false;
    void waiting.then(() => (given = true));
    for (let hop = 0; hop < 50; hop++) await Promise.resolve();
    expect(given).toBe(false);
    await waiting;
  });

  it('keeps nobody back for longer than its patience because of a transaction of the application', async () => {
    const endTurn = await turns.exclusive();
    void start('begin');
    void statement('awaited by that transaction');
    const exclusive = turns.exclusive().then(() => log.push('exclusive'));
    endTurn();
    await clock.advance(PATIENCE_MS - 1);
    expect(log).toEqual(['begin']);
    await clock.advance(1);
    expect(log).toEqual(['begin', 'awaited by that transaction']);
    await end('commit');
    await exclusive;
    expect([log.at(-1), clock.nextTimerInMs]).toEqual(['exclusive', undefined]);
  });

  it('goes on after a statement or a start that fails', async () => {
    const fails = () => Promise.reject(new Error('no'));
    await expect(turns.statement(fails)).rejects.toThrow('no');
    await expect(turns.start(fails)).rejects.toThrow('no');
    (await turns.exclusive())();
    await statement('next');
    expect(log).toEqual(['next']);
  });

  it('notices a transaction that was ended without it', async () => {
    await start('begin');
    const exclusive = turns.exclusive();
    inTransaction = false;
    await clock.advance(PATIENCE_MS);
    (await exclusive)();
    expect(clock.nextTimerInMs).toBeUndefined();
  });
});
