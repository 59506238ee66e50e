import { validate, version } from 'uuid';
import { describe, expect, it } from 'vitest';
import { newEventId } from './event-id.js';

describe('ids of events', () => {
  const ids = Array.from({ length: 10_000 }, () => newEventId());

  it('are UUIDs of version 7, all different, each after the one before', () => {
    expect(ids.every((id) => validate(id) && version(id) === 7)).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual(ids);
  });

  it('begin with their moment, which never goes back', () => {
    const now = Date.now() + 60_000;
    const millis = (id: string) => parseInt(id.replaceAll('-', '').slice(0, 12), 16);
    expect([newEventId(now), newEventId(now - 5_000), newEventId(now + 1)].map(millis)).toEqual([now, now, now + 1]);
  });

  it('share no random bytes', () => {
    expect(new Set(ids.map((id) => id.slice(-12))).size).toBe(ids.length);
  });
});
