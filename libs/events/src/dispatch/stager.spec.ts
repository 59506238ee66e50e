import { describe, expect, it } from 'vitest';
import type { StageResult } from '../store/delivery.store.js';
import type { EventStore } from '../store/event-store.js';
import { ManualClock } from '../testing/manual-clock.js';
import { Stager } from './stager.js';

function setUp() {
  const clock = new ManualClock(0);
  const asked: number[] = [];
  const answers: (StageResult | Error)[] = [];
  const stage = async (now: number) => {
    asked.push(now);
    const answer = answers.shift() ?? { staged: 0, nextDueAt: null };
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const stager = new Stager({
    store: { stage } as Partial<EventStore> as EventStore,
    clock,
    batchSize: 2,
    pollIntervalMs: 1_000,
  });
  return { clock, asked, answers, stager };
}

describe('staging', () => {
  it('asks at first, then when something is due, and once an interval for what other nodes have scheduled', async () => {
    const { clock, asked, answers, stager } = setUp();
    answers.push({ staged: 0, nextDueAt: 300 });
    await stager.stage();
    expect(stager.dueInMs).toBe(300);
    for (let ms = 0; ms < 1_400; ms += 100) {
      await clock.advance(100);
      await stager.stage();
    }
    expect(asked).toEqual([0, 300, 1_300]);
    expect(stager.dueInMs).toBe(Infinity);
  });

  it('goes again after a full batch', async () => {
    const { answers, stager } = setUp();
    answers.push({ staged: 2, nextDueAt: 0 }, { staged: 1, nextDueAt: null });
    expect([await stager.stage(), await stager.stage()]).toEqual([true, false]);
  });

  it('hears of what is scheduled meanwhile, and says whether that is earlier than all it knew', async () => {
    const { answers, stager } = setUp();
    answers.push({ staged: 0, nextDueAt: 500 });
    const staging = stager.stage();
    expect(stager.expect(400)).toBe(true);
    await staging;
    expect(stager.dueInMs).toBe(400);
    expect([stager.expect(400), stager.expect(401), stager.expect(399)]).toEqual([false, false, true]);
  });

  it('forgets no due time when the store fails: it asks again at the next turn', async () => {
    const { asked, answers, stager } = setUp();
    answers.push(new Error('down'));
    await expect(stager.stage()).rejects.toThrow('down');
    expect(stager.dueInMs).toBe(0);
    await stager.stage();
    expect(asked).toEqual([0, 0]);
  });
});
