/** Scope: what the executor asks of one handler: how much may run, how much is worth holding, and what is held no longer. */
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../testing/manual-clock.js';
import { newBreaker, newClaimed, newSlot } from './slot.fixture.js';

describe('a handler’s queue', () => {
  it('is in order of priority, then of age, whatever the order of claims', () => {
    const slot = newSlot('a');
    for (const [id, priority] of [
      [4, 50],
      [2, 50],
      [3, 90],
      [1, 50],
      [9, 10],
    ] as const) {
      slot.enqueue(newClaimed({ id, priority }));
    }
    expect(slot.queue.map(({ delivery: { id } }) => id)).toEqual([9, 1, 2, 4, 3]);
    expect(slot.lastPriority).toBe(10);
  });

  it('is worth keeping as far as it can begin within a second', () => {
    expect(newSlot('a').keepable).toBeGreaterThan(500);
    expect(newSlot('a', { meanMs: 20 }).keepable).toBe(500);
    expect(newSlot('a', { meanMs: 30_000 }).keepable).toBe(0);
  });
});

describe('how much a handler may run', () => {
  it.each([
    ['its concurrency, as a rule', {}, 10],
    ['nothing while it is paused', { paused: true, breaker: newBreaker('half-open') }, 0],
    ['its concurrency while its circuit is closed', { breaker: newBreaker('closed') }, 10],
    ['nothing while its circuit is open', { breaker: newBreaker('open') }, 0],
    ['trials while it is half-open', { breaker: newBreaker('half-open') }, 2],
  ])('is %s', (_what, state, concurrency) => {
    expect(newSlot('a', state).concurrency).toBe(concurrency);
  });

  it('grows again one by one after its circuit has closed, and nothing is held ahead until it is back', () => {
    const breaker = newBreaker('half-open');
    breaker.adopt({ state: 'closed', epoch: 3, openedAt: null });
    const slot = newSlot('a', { breaker, meanMs: 1 });
    const seen: [number, number][] = [];
    for (let n = 0; n < 10; n++) {
      seen.push([slot.concurrency, slot.prefetch(500)]);
      breaker.succeed(breaker.begin());
    }
    expect(seen.map(([concurrency]) => concurrency)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 10]);
    expect(seen.map(([, prefetch]) => prefetch)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 500, 500]);
  });
});

describe('what is worth holding ahead', () => {
  it.each([
    ['nothing before it is known how long it takes', {}, 0],
    ['50 ms of work', { meanMs: 10 }, 50],
    ['two batches at most', { meanMs: 0.01 }, 400],
    ['nothing of a slow handler', { meanMs: 501 }, 0],
    ['nothing while it is paused', { meanMs: 10, paused: true }, 0],
    ['50 ms of work while its circuit is closed', { meanMs: 10, breaker: newBreaker('closed') }, 50],
    ['nothing while its circuit is not closed', { meanMs: 10, breaker: newBreaker('half-open') }, 0],
  ])('is %s', (_what, state, prefetch) => {
    expect(newSlot('a', state).prefetch(200)).toBe(prefetch);
  });

  it('follows the running mean of how long attempts take', () => {
    const slot = newSlot('a', { meanMs: 10 });
    slot.measure(110);
    // 10 + a tenth of the 100 more.
    expect(slot.prefetch(500)).toBe(25);
  });
});

describe('what was claimed', () => {
  it('before its handler was paused is stale', () => {
    expect([newSlot('a'), newSlot('a', { paused: true })].map((slot) => slot.isStale(newClaimed()))).toEqual([
      false,
      true,
    ]);
  });

  it.each([
    ['closed', [false, false]],
    ['open', [true, true]],
    ['half-open', [true, false]],
  ] as const)('in an earlier and in this epoch of a circuit that is %s is stale: %j', (state, stale) => {
    const breaker = newBreaker(state);
    const slot = newSlot('a', { breaker });
    expect([0, breaker.epoch].map((epoch) => slot.isStale(newClaimed({}, epoch)))).toEqual(stale);
  });
});

describe('trials', () => {
  it('are asked for while the circuit is half-open and the handler is not paused', () => {
    const onTrial = (['closed', 'open', 'half-open'] as const).map(
      (state) => newSlot('a', { breaker: newBreaker(state) }).onTrial,
    );
    expect(onTrial).toEqual([false, false, true]);
    expect(newSlot('a', { breaker: newBreaker('half-open'), paused: true }).onTrial).toBe(false);
    expect(newSlot('a').onTrial).toBe(false);
  });
});

describe('a handler that nobody will wake', () => {
  it('waits for its circuit’s time, else for a token, else for nothing', async () => {
    const clock = new ManualClock(5_000);
    const breaker = newBreaker('open', clock);
    await clock.advance(300);
    expect(newSlot('a', { breaker, freeInMs: 50 }).waitsMs).toBe(700);
    expect(newSlot('a', { breaker: newBreaker('closed'), freeInMs: 50 }).waitsMs).toBe(50);
    expect([newSlot('a').waitsMs, newSlot('a', { breaker: newBreaker('half-open') }).waitsMs]).toEqual([
      Infinity,
      Infinity,
    ]);
  });
});
