import { describe, expect, it, vi } from 'vitest';
import { ManualClock } from '../testing/manual-clock.js';
import { News } from './news.js';

function setUp() {
  const clock = new ManualClock();
  const look = vi.fn<() => void>();
  const news = new News(clock, look);
  /** A turn that claims so many. */
  const turn = (claimed: number) => {
    if (news.take()) news.found(claimed);
  };
  return { clock, look, news, turn };
}

describe('news of work on other nodes', () => {
  it('are looked after at once while that brings something', () => {
    const { look, news, turn } = setUp();
    for (let n = 0; n < 3; n++) {
      news.hear();
      turn(1);
      // What the node looks for by itself says nothing about news.
      turn(0);
    }
    expect(look).toHaveBeenCalledTimes(3);
  });

  it('that came to nothing make the node hear the next 10 ms together, when they are over', async () => {
    const { clock, look, news, turn } = setUp();
    news.hear();
    turn(0);
    for (let ms = 0; ms < 9; ms++) {
      news.hear();
      await clock.advance(1);
    }
    expect(look).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    expect(look).toHaveBeenCalledTimes(2);
    turn(1);
    news.hear();
    expect(look).toHaveBeenCalledTimes(3);
  });

  it('after a rest are looked after at once', async () => {
    const { clock, look, news, turn } = setUp();
    news.hear();
    turn(0);
    await clock.advance(10);
    news.hear();
    expect([look.mock.calls.length, clock.nextTimerInMs]).toEqual([2, undefined]);
  });

  it('are heard no more once it is closed', async () => {
    const { clock, look, news, turn } = setUp();
    news.hear();
    turn(0);
    news.hear();
    news.close();
    await clock.advance(20);
    expect([look.mock.calls.length, clock.nextTimerInMs]).toEqual([1, undefined]);
  });
});
