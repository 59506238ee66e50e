import { describe, expect, it } from 'vitest';
import { orderingLocks } from './ordering-locks.js';

const locksOf = (...keys: (string | null)[]) => orderingLocks(keys.map((orderingKey) => ({ orderingKey })));

describe('orderingLocks', () => {
  it('needs no lock for events without a key', () => {
    expect(locksOf(null, null)).toEqual([]);
  });

  it('names each row once, ascending, whatever the order of the events', () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `key-${index}`);
    const locks = locksOf(...keys);
    expect(locks).toEqual(Array.from({ length: 1_024 }, (_, index) => index));
    expect(locksOf(...keys.toReversed())).toEqual(locks);
  });

  it('takes the same row for a key for ever, since nodes of other versions do', () => {
    expect(['', 'a', 'account-1', 'ключ'].map((key) => locksOf(key))).toEqual([[453], [300], [150], [697]]);
  });
});
