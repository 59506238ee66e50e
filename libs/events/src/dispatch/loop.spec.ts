import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ManualClock } from '../testing/manual-clock.js';
import { Loop } from './loop.js';

const clock = new ManualClock();

/** A started loop; `turns` are the moments at which its turns began. */
function start(turn: (loop: Loop) => Promise<boolean> | boolean = () => false) {
  const startedAt = clock.monotonic();
  const turns: number[] = [];
  const logger = { log: vi.fn(), error: vi.fn() };
  const loop: Loop = new Loop({
    name: 'test loop',
    clock,
    logger: logger,
    idleMs: () => 1_000,
    turn: async () => {
      turns.push(clock.monotonic() - startedAt);
      return turn(loop);
    },
  });
  loop.start();
  onTestFinished(async () => {
    await loop.stop();
    expect(clock.nextTimerInMs, 'a timer is left').toBeUndefined();
  });
  return { loop, turns, logger };
}

describe('an idle loop', () => {
  it('takes a turn at once, then one an interval', async () => {
    const { turns } = start();
    await clock.advance(2_500);
    expect(turns).toEqual([0, 1_000, 2_000]);
  });

  it('takes a turn when it is woken, and counts its interval from there', async () => {
    const { loop, turns } = start();
    await clock.advance(300);
    loop.wake();
    await clock.advance(1_000);
    expect(turns).toEqual([0, 300, 1_300]);
  });

  it('runs its turns in the async context it was started in, whoever wakes it', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const { loop } = start(() => {
      seen.push(storage.getStore());
      return false;
    });
    await clock.advance(10);
    storage.run('a request', () => loop.wake());
    await clock.advance(10);
    expect(seen).toEqual([undefined, undefined]);
  });
});

describe('a busy loop', () => {
  it('goes again at once after a full batch, and lets the event loop turn in between', async () => {
    let left = 3;
    let immediates = 0;
    const seen: number[] = [];
    const { turns } = start(() => {
      seen.push(immediates);
      setImmediate(() => immediates++);
      return left-- > 0;
    });
    await clock.advance(0);
    expect(turns).toEqual([0, 0, 0, 0]);
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  it('woken in the middle of a turn takes exactly one more', async () => {
    let end = (): void => undefined;
    const { loop, turns } = start(() => new Promise((resolve) => (end = () => resolve(false))));
    await clock.advance(0);
    loop.wake();
    loop.wake();
    end();
    await clock.advance(500);
    expect(turns).toEqual([0, 0]);
    end();
    await clock.advance(500);
    expect(turns).toEqual([0, 0]);
    end();
  });

  it('woken by every one of its turns lets the event loop turn in between', async () => {
    let immediates = 0;
    const seen: number[] = [];
    start((loop) => {
      seen.push(immediates);
      setImmediate(() => immediates++);
      if (seen.length < 4) loop.wake();
      return false;
    });
    await clock.advance(0);
    expect(seen).toEqual([0, 1, 2, 3]);
  });
});

describe('a loop whose turns fail', () => {
  it('waits longer each time, wake-ups or not, says so once, and says when it works again', async () => {
    let failing = true;
    const { loop, turns, logger } = start(() => {
      if (failing) throw new Error('down');
      return false;
    });
    for (let ms = 0; ms < 1_500; ms += 50) {
      loop.wake();
      await clock.advance(50);
    }
    expect(turns).toEqual([0, 100, 300, 700, 1_500]);
    failing = false;
    await clock.advance(1_600);
    expect(turns).toEqual([0, 100, 300, 700, 1_500, 3_100]);
    expect(logger.error).toHaveBeenCalledTimes(1);
    expect(logger.log.mock.calls).toEqual([
      ['test loop works again after 5 failed turns', { loop: 'test loop', failures: 5 }],
    ]);
  });

  it('never waits longer than ten seconds', async () => {
    const { turns } = start(() => Promise.reject(new Error('down')));
    await clock.advance(60_000);
    expect(turns.at(-1)! - turns.at(-2)!).toBe(10_000);
  });
});

describe('a loop that is paused', () => {
  it('takes no turn, however often it is woken, and one as soon as it is resumed', async () => {
    const { loop, turns } = start();
    await clock.advance(0);
    loop.pause();
    loop.wake();
    await clock.advance(5_400);
    loop.resume();
    await clock.advance(0);
    expect(turns).toEqual([0, 5_400]);
  });
});

describe('a loop that is stopped', () => {
  it('waits for the turn under way and starts no other', async () => {
    let end = (): void => undefined;
    const { loop, turns } = start(() => new Promise((resolve) => (end = () => resolve(true))));
    await clock.advance(0);
    let stopped = false;
    const stopping = loop.stop().then(() => (stopped = true));
    await clock.advance(2_000);
    expect(stopped).toBe(false);
    end();
    await stopping;
    loop.wake();
    await clock.advance(2_000);
    expect(turns).toEqual([0]);
  });

  it('ends at once while it waits after a failure', async () => {
    const { loop } = start(() => Promise.reject(new Error('down')));
    await clock.advance(0);
    await loop.stop();
    expect(clock.nextTimerInMs).toBeUndefined();
  });
});
