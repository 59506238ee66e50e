import { describe, expect, it } from 'vitest';
import { ManualClock } from '../testing/manual-clock.js';
import { retryConflicts } from './retry-conflicts.js';

const conflict = new Error('gave way');

/** Runs what fails with these errors, then succeeds. */
function setUp(errors: readonly Error[], random = () => 0.5) {
  const clock = new ManualClock();
  const triedAt: number[] = [];
  const run = async (): Promise<string> => {
    triedAt.push(clock.monotonic());
    const error = errors[triedAt.length - 1];
    if (error) throw error;
    return 'done';
  };
  const answer = retryConflicts(run, { isConflict: (error) => error === conflict, clock, random });
  const outcome = answer.catch((error: unknown) => error);
  return { clock, triedAt, outcome };
}

describe('what gave way to a conflict', () => {
  it('is run again, after a random wait of at most 20 ms each time', async () => {
    const waits = [0, 0.5, 0.999];
    const { clock, triedAt, outcome } = setUp([conflict, conflict, conflict], () => waits.shift() ?? NaN);
    await clock.advance('1s');
    expect([await outcome, triedAt]).toEqual(['done', [0, 0, 10, 30]]);
  });

  it('fails with the conflict of the fifth try', async () => {
    const { clock, triedAt, outcome } = setUp(Array.from({ length: 5 }, () => conflict));
    await clock.advance('1s');
    expect([await outcome, triedAt]).toEqual([conflict, [0, 10, 20, 30, 40]]);
  });

  it('fails at once with any other error', async () => {
    const other = new Error('other');
    const { clock, triedAt, outcome } = setUp([conflict, other]);
    await clock.advance('1s');
    expect([await outcome, triedAt]).toEqual([other, [0, 10]]);
  });
});
