import { describe, expect, it } from 'vitest';
import { ManualClock } from '../testing/manual-clock.js';
import { Activity } from './activity.js';

function setUp() {
  const clock = new ManualClock();
  const activity = new Activity(clock).of('h');
  const record = (completed: number, failed: number) => {
    for (let n = 0; n < completed; n++) activity.record(false);
    for (let n = 0; n < failed; n++) activity.record(true);
  };
  return { clock, activity, record };
}

describe('the activity of a handler', () => {
  it('is one per name', () => {
    const activity = new Activity(new ManualClock());
    expect(activity.of('a')).toBe(activity.of('a'));
    expect(activity.of('a')).not.toBe(activity.of('b'));
  });

  it('counts what ended: completed and failed', () => {
    const { activity, record } = setUp();
    record(3, 2);
    const { processed, completed, failed } = activity;
    expect({ processed, completed, failed }).toEqual({ processed: 5, completed: 3, failed: 2 });
  });

  it.each([
    [0, 0, false],
    [5, 0, false],
    [0, 1, true],
    [9, 1, true],
    [91, 9, false],
    [63, 7, true],
    [20, 2, false],
  ])('with %i completed and %i failed of late is failing: %s', (completed, failed, failing) => {
    const { activity, record } = setUp();
    record(completed, failed);
    expect(activity.failing).toBe(failing);
  });

  it('is failing for a minute after the last error', async () => {
    const { clock, activity, record } = setUp();
    record(0, 1);
    await clock.advance(59_999);
    expect(activity.failing).toBe(true);
    await clock.advance(1);
    expect(activity.failing).toBe(false);
  });

  it('forgets errors older than a minute when it weighs newer ones', async () => {
    const { clock, activity, record } = setUp();
    record(0, 50);
    await clock.advance(60_000);
    record(99, 1);
    expect(activity.failing).toBe(false);
  });
});
