/** Scope: what becomes of a pool's connections when the work with them ends, fails, or does not end. */
import { describe, expect, it } from 'vitest';
import { StoreUnavailableError } from '../errors/store-unavailable.error.js';
import { ManualClock } from '../testing/manual-clock.js';
import { PooledConnections } from './pooled-connections.js';

interface Connection {
  readonly id: number;
}

/** A pool that gives what was released last, or else a new one. */
function setUp() {
  const clock = new ManualClock();
  const idle: Connection[] = [];
  const log: string[] = [];
  let made = 0;
  const pool = {
    acquire: (): Promise<Connection> => Promise.resolve(idle.pop() ?? { id: ++made }),
    release: (connection: Connection) => {
      idle.push(connection);
      log.push(`release ${connection.id}`);
    },
    destroy: ({ id }: Connection, why: Error) => void log.push(`destroy ${id}: ${why.message}`),
  };
  const connections = new PooledConnections<Connection>(pool, clock);
  const lend = (
    limitMs: number,
    work: (connection: Connection) => Promise<unknown> = ({ id }) => Promise.resolve(id),
  ) => connections.lend(limitMs, work).catch((error: Error) => error.message);
  return { clock, pool, log, lend };
}

const TOO_LATE = 'the database is not available: no answer within 100 ms';
const never = () => new Promise<never>(() => {});

describe('a connection', () => {
  it('goes back to the pool when its work has ended, or has failed with an answer', async () => {
    const { log, lend, clock } = setUp();
    expect(await lend(100)).toBe(1);
    expect(await lend(100, () => Promise.reject(new Error('constraint')))).toBe('constraint');
    expect(log).toEqual(['release 1', 'release 1']);
    expect(clock.nextTimerInMs).toBeUndefined();
  });

  it('is destroyed when the work with it could not ask the database', async () => {
    const { log, lend } = setUp();
    const broken = new StoreUnavailableError('broken');
    expect(await lend(100, () => Promise.reject(broken))).toBe(broken.message);
    expect(log).toEqual([`destroy 1: ${broken.message}`]);
  });

  it('that has not done its work in time is destroyed, whatever may still come of it', async () => {
    const { clock, log, lend } = setUp();
    let fail: (error: Error) => void = () => undefined;
    const lent = lend(100, () => new Promise((_, reject) => (fail = reject)));
    await clock.advance(99);
    expect(log).toEqual([]);
    await clock.advance(1);
    fail(new Error('at last'));
    expect(await lent).toBe(TOO_LATE);
    expect(log).toEqual([`destroy 1: ${TOO_LATE}`]);
  });

  it('has all the time without a limit', async () => {
    const { clock, lend } = setUp();
    void lend(Infinity, never);
    await clock.advance(0);
    expect(clock.nextTimerInMs).toBeUndefined();
  });

  it('that comes when nobody waits for it any more goes back to the pool', async () => {
    const { clock, pool, log, lend } = setUp();
    let come: (connection: Connection) => void = () => undefined;
    pool.acquire = () => new Promise((resolve) => (come = resolve));
    const lent = lend(100, () => expect.unreachable());
    await clock.advance(100);
    expect(await lent).toBe(TOO_LATE);
    come({ id: 7 });
    await clock.advance(0);
    expect(log).toEqual(['release 7']);
  });

  it('that was not heard of since another did not answer is destroyed, and the next is taken', async () => {
    const { clock, log, lend } = setUp();
    const both = [lend(100), lend(100)];
    await Promise.all(both);
    log.length = 0;
    await clock.advance(1);
    void lend(100, never);
    await clock.advance(100);
    expect([await lend(100), log]).toEqual([
      3,
      [`destroy 2: ${TOO_LATE}`, 'destroy 1: it may lead nowhere', 'release 3'],
    ]);
  });
});

it('what the pool says when it has none to give is passed on', async () => {
  const { pool, log, lend } = setUp();
  pool.acquire = () => Promise.reject(new Error('refused'));
  expect([await lend(100), log]).toEqual(['refused', []]);
});
