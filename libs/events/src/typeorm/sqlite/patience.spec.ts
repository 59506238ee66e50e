import { describe, expect, it } from 'vitest';
import { StoreBusyError } from '../../errors/store-busy.error.js';
import { ManualClock } from '../../testing/manual-clock.js';
import { Patience } from './patience.js';

const busy = Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' });

describe('Patience', () => {
  it('tries a busy database again until it is free', async () => {
    const clock = new ManualClock();
    let tries = 0;
    const answer = new Patience(clock, () => 0.5).retry(() => {
      if (++tries < 4) throw busy;
      return 'done';
    });
    await clock.advance(1_000);
    expect([await answer, tries]).toEqual(['done', 4]);
  });

  it('gives up after ten seconds with an error that says what to look for, and keeps the cause', async () => {
    const clock = new ManualClock();
    const failed = new Patience(clock, () => 0.5)
      .retry(() => {
        throw busy;
      })
      .catch((error: unknown) => error);
    await clock.advance(11_000);
    const error = await failed;
    expect(error).toBeInstanceOf(StoreBusyError);
    expect(error).toMatchObject({ code: 'EVENTS_STORE_BUSY', waitedMs: 10_000, cause: busy });
    expect((error as Error).message).toContain('{ manager }');
  });

  it('lets any other error pass at once', async () => {
    const other = new Error('no such table');
    await expect(new Patience(new ManualClock(), () => 0.5).retry(() => Promise.reject(other))).rejects.toBe(other);
  });
});
