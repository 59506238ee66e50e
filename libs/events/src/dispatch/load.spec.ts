/** Scope: waiting for what runs. */
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../testing/manual-clock.js';
import { Load } from './load.js';

describe('waiting until nothing runs', () => {
  it('is at once when nothing does', async () => {
    expect(await new Load(new ManualClock()).ended(0)).toBe(true);
  });

  it('takes until the last has ended, and leaves no timer', async () => {
    const clock = new ManualClock();
    const load = new Load(clock);
    load.begin();
    load.begin();
    let ended: boolean | undefined;
    const waiting = load.ended(1_000).then((answer) => (ended = answer));
    load.end();
    await clock.advance(999);
    expect(ended).toBeUndefined();
    load.end();
    expect(await waiting).toBe(true);
    expect(clock.nextTimerInMs).toBeUndefined();
  });

  it('gives up after its time, and may begin anew without one', async () => {
    const clock = new ManualClock();
    const load = new Load(clock);
    load.begin();
    const inVain = load.ended(1_000);
    await clock.advance(1_000);
    expect(await inVain).toBe(false);
    const waiting = load.ended();
    expect(clock.nextTimerInMs).toBeUndefined();
    load.end();
    expect(await waiting).toBe(true);
  });
});
