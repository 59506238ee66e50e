import { Logger } from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ManualClock } from '../testing/manual-clock.js';
import { EventLifecycle } from './event-lifecycle.js';
import { LogStorms } from './log-storms.js';
import { UnhandledEvents } from './unhandled-events.js';

function setUp() {
  const clock = new ManualClock();
  const unhandled = new UnhandledEvents(new EventLifecycle(), new LogStorms(clock));
  const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  const named = () => warn.mock.calls.flatMap(([message]) => /event of type (\S+)/.exec(String(message))?.[1] ?? []);
  return { clock, unhandled, named };
}

afterEach(() => void vi.restoreAllMocks());

describe('events that nobody handles', () => {
  it('are all counted, and named in the log once per type', () => {
    const { unhandled, named } = setUp();
    for (const type of ['a.b', 'a.b', 'c.d', 'a.b']) unhandled.note(type);
    expect(unhandled.count).toBe(4);
    expect(named()).toEqual(['a.b', 'c.d']);
  });

  it('are named later when too many others were named just now', async () => {
    const { clock, unhandled, named } = setUp();
    for (let n = 1; n <= 21; n++) unhandled.note(`type.${n}`);
    expect(named()).toHaveLength(20);
    await clock.advance(10_000);
    unhandled.note('type.21');
    expect(named().at(-1)).toBe('type.21');
  });

  it('cannot fill memory or the log with made-up types', async () => {
    const { clock, unhandled, named } = setUp();
    for (let n = 0; n < 3_000; n++) {
      unhandled.note(`type.${n}`);
      await clock.advance(1_000);
    }
    expect(unhandled.count).toBe(3_000);
    expect(named()).toHaveLength(1_000);
  });
});
