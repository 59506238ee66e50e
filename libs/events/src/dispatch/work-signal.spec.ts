/** Scope: when other nodes are told of work, and by whom. */
import { describe, expect, it, vi } from 'vitest';
import type { EventStore } from '../store/event-store.js';
import { ManualClock } from '../testing/manual-clock.js';
import { WorkSignal } from './work-signal.js';

function setUp() {
  const clock = new ManualClock();
  const notify = vi.fn(() => Promise.resolve());
  const signal = new WorkSignal(clock, { notify } as Partial<EventStore> as EventStore);
  return { clock, notify, signal };
}

describe('other nodes', () => {
  it('are told at once of work that comes after a rest, and together of what follows within 10 ms', async () => {
    const { clock, notify, signal } = setUp();
    signal.raise({});
    await clock.advance(0);
    expect(notify.mock.calls).toEqual([['work']]);
    await clock.advance(4);
    for (let index = 0; index < 3; index++) signal.raise({});
    await clock.advance(5);
    expect(notify).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    expect(notify).toHaveBeenCalledTimes(2);
  });

  it('are told by the commit itself where it should; what follows within 10 ms is told when they are over', async () => {
    const { clock, notify, signal } = setUp();
    expect(signal.shouldTell(false)).toBe(true);
    signal.raise({}, true);
    await clock.advance(9);
    expect(signal.shouldTell(false)).toBe(false);
    signal.raise({}, false);
    expect(notify).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(notify).toHaveBeenCalledTimes(1);
    expect(signal.shouldTell(false)).toBe(false);
    await clock.advance(10);
    expect(signal.shouldTell(false)).toBe(true);
  });

  it('are told by each commit that is alone, but not twice in a millisecond', async () => {
    const { clock, signal } = setUp();
    expect([signal.shouldTell(true), signal.shouldTell(true)]).toEqual([true, false]);
    await clock.advance(1);
    expect([signal.shouldTell(false), signal.shouldTell(true)]).toEqual([false, true]);
  });

  it('are told no more when the node has stopped', async () => {
    const { clock, notify, signal } = setUp();
    signal.raise({});
    signal.close();
    await clock.advance(20);
    expect([signal.shouldTell(false), notify.mock.calls]).toEqual([false, []]);
  });
});
