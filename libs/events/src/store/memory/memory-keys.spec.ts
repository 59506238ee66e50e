/** Scope: what the keys of the in-memory store do beyond the contract: how many are kept, and what an adopter keeps. */
import { describe, expect, it } from 'vitest';
import { MemoryKeys } from './memory-keys.js';

const claim = (keys: MemoryKeys, handler: string, key: string, owner: number, now = 0) =>
  keys.claim({ handler, key, owner, expiresAt: now + 100 }, now);

describe('MemoryKeys', () => {
  it('keeps no more than twice what still means something, though nobody prunes', () => {
    const keys = new MemoryKeys();
    let most = 0;
    for (let now = 0; now < 20_000; now++) {
      keys.sweepIfGrown(now);
      claim(keys, `handler ${now % 3}`, `key ${now}`, 1, now);
      most = Math.max(most, keys.size);
    }
    expect(most).toBe(1_001);
    expect(keys.sweep(40_000, 10)).toBe(10);
    keys.sweep(40_000, Infinity);
    expect([keys.size, keys.sweep(40_000, Infinity)]).toEqual([0, 0]);
  });

  it('lets what is in use grow, and looks again when it has doubled', () => {
    const keys = new MemoryKeys();
    for (let index = 0; index < 3_000; index++) {
      keys.sweepIfGrown(0);
      claim(keys, 'mail', `key ${index}`, 1);
    }
    expect(keys.size).toBe(3_000);
    // The last sweep left 2,003 keys: the next comes above 4,006, not before.
    for (let index = 0; keys.size < 4_007; index++) {
      keys.sweepIfGrown(500);
      claim(keys, 'mail', `late ${index}`, 1, 500);
    }
    keys.sweepIfGrown(500);
    expect(keys.size).toBe(4_007 - 3_000);
  });

  it('an adopter keeps its own keys, and gets those that it has not', () => {
    const keys = new MemoryKeys();
    claim(keys, 'old', 'both', 1);
    claim(keys, 'old', 'taken', 2);
    claim(keys, 'new', 'both', 3);
    keys.adopt('old', 'new');
    keys.adopt('nobody', 'new');
    expect(keys.size).toBe(2);
    expect([claim(keys, 'new', 'both', 3), claim(keys, 'new', 'taken', 2), claim(keys, 'old', 'both', 9)]).toEqual(
      Array.from({ length: 3 }, () => ({ state: 'claimed' })),
    );
  });
});
