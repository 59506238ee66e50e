import { Logger } from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { EventLifecycle } from './event-lifecycle.js';
import { UnhandledEvents } from './unhandled-events.js';

afterEach(() => void vi.restoreAllMocks());

describe('events that nobody handles', () => {
  it('are all counted, and named in the log once per type', () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const unhandled = new UnhandledEvents(new EventLifecycle());
    for (const type of ['a.b', 'a.b', 'c.d', 'a.b']) unhandled.note(type);
    expect(unhandled.count).toBe(4);
    expect(warn.mock.calls.map(([message]) => /type (\S+)/.exec(String(message))?.[1])).toEqual(['a.b', 'c.d']);
  });

  it('cannot fill memory or the log with made-up types', () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const unhandled = new UnhandledEvents(new EventLifecycle());
    for (let n = 0; n < 3_000; n++) unhandled.note(`type.${n}`);
    expect(unhandled.count).toBe(3_000);
    expect(warn).toHaveBeenCalledTimes(1_000);
  });
});
