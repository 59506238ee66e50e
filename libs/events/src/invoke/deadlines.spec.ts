import { AsyncLocalStorage } from 'node:async_hooks';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { TimerHandle } from '../clock/clock.js';
import { SystemClock } from '../clock/system-clock.js';
import { ManualClock } from '../testing/manual-clock.js';
import { Deadlines } from './deadlines.js';

/** Scope: timeouts of many attempts on one timer. */
class CountingClock extends ManualClock {
  timersSet = 0;

  override setTimeout(callback: () => void, ms: number): TimerHandle {
    this.timersSet += 1;
    return super.setTimeout(callback, ms);
  }
}

let clock: CountingClock;
let deadlines: Deadlines;
let expired: [name: string, at: number][];

beforeEach(() => {
  clock = new CountingClock();
  deadlines = new Deadlines(clock);
  expired = [];
});

const add = (timeoutMs: number, name = `${timeoutMs}`) =>
  deadlines.add(timeoutMs, () => expired.push([name, clock.monotonic()]));

describe('Deadlines', () => {
  it('expires each deadline exactly at its timeout, once, in order', async () => {
    add(300);
    add(100);
    add(200);
    await clock.advance(50);
    add(100, 'later');
    add(100, 'twin');
    await clock.advance(10_000);
    expect(expired).toEqual([
      ['100', 100],
      ['later', 150],
      ['twin', 150],
      ['200', 200],
      ['300', 300],
    ]);
    expect(clock.nextTimerInMs).toBeUndefined();
  });

  it('expires nothing a millisecond early', async () => {
    add(100);
    await clock.advance(99);
    expect(expired).toEqual([]);
    await clock.advance(1);
    expect(expired).toEqual([['100', 100]]);
  });

  it('a removed deadline does not expire, wherever it stood', async () => {
    const five = ['a', 'b', 'c', 'd', 'e'].map((name) => add(100, name));
    for (const gone of [0, 2, 4]) deadlines.remove(five[gone]);
    await clock.advance(100);
    expect(expired).toEqual([
      ['b', 100],
      ['d', 100],
    ]);
  });

  it('removing twice, after expiry and after close does nothing', async () => {
    const first = add(100, 'first');
    const second = add(100, 'second');
    deadlines.remove(first);
    deadlines.remove(first);
    await clock.advance(100);
    deadlines.remove(second);
    const third = add(100, 'third');
    const fourth = add(100, 'fourth');
    deadlines.close();
    deadlines.remove(third);
    deadlines.remove(fourth);
    add(100, 'fifth');
    await clock.advance(100);
    expect(expired).toEqual([
      ['second', 100],
      ['fifth', 200],
    ]);
  });

  it('sets no timer per attempt: a thousand short attempts cost one, and one more each timeout', async () => {
    for (let attempt = 0; attempt < 1000; attempt++) {
      const handle = add(30_000);
      await clock.advance(1);
      deadlines.remove(handle);
    }
    expect(clock.timersSet).toBe(1);
    await clock.advance(60_000);
    expect({ timersSet: clock.timersSet, next: clock.nextTimerInMs, expired }).toEqual({
      timersSet: 1,
      next: undefined,
      expired: [],
    });
  });

  it('goes on from a timer that finds its deadline removed', async () => {
    const gone = add(100, 'gone');
    await clock.advance(40);
    add(100, 'kept');
    deadlines.remove(gone);
    await clock.advance(1000);
    expect(expired).toEqual([['kept', 140]]);
  });

  it('a shorter timeout added later comes first', async () => {
    add(1000, 'long');
    await clock.advance(10);
    add(5, 'short');
    await clock.advance(2000);
    expect(expired).toEqual([
      ['short', 15],
      ['long', 1000],
    ]);
  });

  it('what expires may add, remove and close', async () => {
    const doomed = deadlines.add(100.5, () => expired.push(['doomed', clock.monotonic()]));
    deadlines.add(100, () => {
      add(100, 'again');
      add(0, 'at once');
      deadlines.remove(doomed);
    });
    await clock.advance(150);
    add(1000, 'never');
    deadlines.add(60, () => deadlines.close());
    await clock.advance(5000);
    expect(expired).toEqual([
      ['at once', 100],
      ['again', 200],
    ]);
    expect(clock.nextTimerInMs).toBeUndefined();
  });

  it('close forgets everything and leaves no timer behind', async () => {
    add(100);
    add(200);
    deadlines.close();
    expect(clock.nextTimerInMs).toBeUndefined();
    await clock.advance(1000);
    expect(expired).toEqual([]);
  });

  it('holds at most one timer, and expires what a timer for each would, in any history', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), timeoutMs: fc.constantFrom(0, 5, 10, 30) }),
      fc.record({ do: fc.constant('remove' as const), which: fc.nat(100) }),
      fc.record({ do: fc.constant('advance' as const), ms: fc.nat(12) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
        const [clock, reference] = [new ManualClock(), new ManualClock()];
        const deadlines = new Deadlines(clock);
        const [expired, expected]: [string[], string[]] = [[], []];
        const added: { remove: () => void }[] = [];
        for (const one of steps) {
          if (one.do === 'add') {
            const name = added.length;
            const deadline = deadlines.add(one.timeoutMs, () => expired.push(`${name} at ${clock.monotonic()}`));
            const timer = reference.setTimeout(
              () => expected.push(`${name} at ${reference.monotonic()}`),
              one.timeoutMs,
            );
            added.push({
              remove: () => {
                deadlines.remove(deadline);
                reference.clearTimeout(timer);
              },
            });
          } else if (one.do === 'remove') {
            if (added.length > 0) added[one.which % added.length].remove();
          } else {
            await Promise.all([clock.advance(one.ms), reference.advance(one.ms)]);
          }
        }
        await Promise.all([clock.advance(100), reference.advance(100)]);
        // Those of one moment are in no promised order.
        expect(expired.toSorted()).toEqual(expected.toSorted());
        expect(clock.nextTimerInMs).toBeUndefined();
      }),
      { seed: 20260104, numRuns: 100 },
    );
  });

  it('on the system clock expires no earlier than asked, outside the async context that added it', async () => {
    const context = new AsyncLocalStorage<string>();
    const system = new SystemClock();
    const real = new Deadlines(system);
    const begin = system.monotonic();
    const found = await new Promise((resolve) => {
      context.run('an attempt', () => {
        real.add(20, () => resolve({ context: context.getStore(), early: system.monotonic() - begin < 20 }));
      });
    });
    real.close();
    expect(found).toEqual({ context: undefined, early: false });
  });
});
