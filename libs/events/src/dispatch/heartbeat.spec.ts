/** A lease of 30 s: a beat every 5 s, and patience of 25 s. */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { EventStore } from '../store/event-store.js';
import type { Lease } from '../store/records.js';
import { ManualClock } from '../testing/manual-clock.js';
import { Heartbeat } from './heartbeat.js';

type Answer = boolean | Error | 'hangs';

function start() {
  const clock = new ManualClock(0);
  const events: string[] = [];
  const say = (what: string) => void events.push(`${clock.monotonic() / 1_000} s: ${what}`);
  const held: Lease[] = [];
  const fake = { answer: true as Answer, lost: [] as number[], release: (_alive: boolean) => {} };
  const store = {
    ping: async () => clock.now(),
    beat: (node: number) => {
      say(`beat of ${node}`);
      if (fake.answer === 'hangs') return new Promise<boolean>((resolve) => (fake.release = resolve));
      return fake.answer instanceof Error ? Promise.reject(fake.answer) : Promise.resolve(fake.answer);
    },
    lostLeases: async () => fake.lost,
  };
  const evicted = { by: async (): Promise<void> => undefined };
  const heartbeat = new Heartbeat({
    store: store as Partial<EventStore> as EventStore,
    clock,
    logger: { log: vi.fn(), error: vi.fn() },
    leaseMs: 30_000,
    leases: () => held,
    onLost: ({ id, claims }) => say(`lost ${id}, claim ${claims}`),
    onEvicted: () => {
      say('evicted');
      return evicted.by();
    },
    onUnconfirmed: () => say('unconfirmed'),
    onConfirmed: () => say('confirmed'),
  });
  heartbeat.start(1);
  onTestFinished(async () => {
    fake.release(true);
    await heartbeat.stop();
    expect(clock.nextTimerInMs, 'a timer is left').toBeUndefined();
  });
  /** What happened besides beats. */
  const news = () => events.filter((event) => !event.includes('beat of'));
  return { clock, events, news, fake, held, heartbeat, evicted };
}

describe('a heartbeat that gets through', () => {
  it('beats six times a lease, and not once after it is stopped', async () => {
    const { clock, events, heartbeat } = start();
    await clock.advance(12_000);
    expect(events).toEqual(['5 s: beat of 1', '10 s: beat of 1']);
    await heartbeat.stop();
    await clock.advance(60_000);
    expect(events).toHaveLength(2);
  });

  it('says which leases are lost, under which claim, and asks only about what is held', async () => {
    const { clock, news, fake, held } = start();
    fake.lost = [7];
    await clock.advance(5_000);
    expect(news()).toEqual([]);
    held.push({ id: 7, claims: 3 }, { id: 8, claims: 1 });
    await clock.advance(5_000);
    expect(news()).toEqual(['10 s: lost 7, claim 3']);
  });
});

describe('a heartbeat that does not get through', () => {
  it('is patient for the lease less five seconds, speaks once, and says when it is confirmed again', async () => {
    const { clock, news, fake, heartbeat } = start();
    await clock.advance(5_000);
    fake.answer = new Error('database is away');
    await clock.advance(24_999);
    expect(news()).toEqual([]);
    expect(heartbeat.failures).toBe(4);
    await clock.advance(40_000);
    expect(news()).toEqual(['30 s: unconfirmed']);
    fake.answer = true;
    await clock.advance(5_000);
    expect(news()).toEqual(['30 s: unconfirmed', '70 s: confirmed']);
    expect(heartbeat.failures).toBe(0);
    fake.answer = new Error('database is away');
    await clock.advance(30_000);
    expect(news().slice(2)).toEqual(['95 s: unconfirmed']);
  });

  it('does not wait for a beat that hangs, nor trust its answer when it comes: the next one counts', async () => {
    const { clock, events, news, fake } = start();
    await clock.advance(5_000);
    fake.answer = 'hangs';
    await clock.advance(60_000);
    expect(events).toEqual(['5 s: beat of 1', '10 s: beat of 1', '30 s: unconfirmed']);
    fake.answer = true;
    fake.release(true);
    await clock.advance(0);
    expect(news()).toEqual(['30 s: unconfirmed']);
    await clock.advance(5_000);
    expect(news()).toEqual(['30 s: unconfirmed', '70 s: confirmed']);
    await clock.advance(60_000);
    expect(news()).toHaveLength(2);
  });
});

describe('steadySince, by which others are judged', () => {
  it('is the start as long as every beat gets through', async () => {
    const { clock, heartbeat } = start();
    await clock.advance(47_000);
    expect(heartbeat.steadySince).toBe(0);
  });

  it('is never while beats fail, and the first good beat afterwards', async () => {
    const { clock, fake, heartbeat } = start();
    fake.answer = new Error('database is away');
    await clock.advance(5_000);
    expect(heartbeat.steadySince).toBe(Infinity);
    fake.answer = true;
    await clock.advance(20_000);
    expect(heartbeat.steadySince).toBe(10_000);
  });

  it('is never while a beat hangs, and the next one sent afterwards', async () => {
    const { clock, fake, heartbeat } = start();
    fake.answer = 'hangs';
    await clock.advance(10_001);
    expect(heartbeat.steadySince).toBe(Infinity);
    await clock.advance(50_000);
    fake.answer = true;
    fake.release(true);
    await clock.advance(5_000);
    expect(heartbeat.steadySince).toBe(65_001);
  });
});

describe('a node whose row is gone', () => {
  it('is told so at each beat until it has a new one, which is then the one that beats', async () => {
    const { clock, events, fake, heartbeat, evicted } = start();
    fake.answer = false;
    await clock.advance(5_000);
    evicted.by = async () => {
      heartbeat.enroll(2);
      fake.answer = true;
    };
    await clock.advance(10_000);
    expect(events).toEqual(['5 s: beat of 1', '5 s: evicted', '10 s: beat of 1', '10 s: evicted', '15 s: beat of 2']);
  });

  it('does not believe an answer about the row it had before', async () => {
    const { clock, news, fake, heartbeat } = start();
    fake.answer = 'hangs';
    await clock.advance(5_000);
    heartbeat.enroll(2);
    fake.answer = true;
    fake.release(false);
    await clock.advance(5_000);
    expect(news()).toEqual([]);
  });

  it('counts it as a failed beat when it cannot come back', async () => {
    const { clock, fake, heartbeat, evicted } = start();
    fake.answer = false;
    evicted.by = () => Promise.reject(new Error('database is away'));
    await clock.advance(10_000);
    expect(heartbeat.failures).toBe(2);
  });
});
