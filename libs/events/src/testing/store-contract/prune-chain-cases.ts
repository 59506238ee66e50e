import assert from 'node:assert/strict';
import type { EventStore } from '../../store/event-store.js';
import { contractCases } from './contract-case.js';
import { HOUR, join, names, T0 } from './scene.js';

/** Prunes what means nothing any more at `now`, and none of the events. */
async function prune(store: EventStore, now: number, limit = 100): Promise<number> {
  return store.prune({ completedBefore: 0, deadBefore: 0, now, limit });
}

export const pruneChainCases = contractCases('prune', {
  'expired keys go, those that still mean something stay': async ({ store }) => {
    await join(store);
    const claims = [10, 10, 20].map((ms, index) => ({
      handler: 'mail',
      key: `k${index}`,
      owner: index + 1,
      expiresAt: T0 + ms,
    }));
    await store.claimKeys(claims, T0);
    assert.equal(await prune(store, T0 + 9), 0);
    assert.equal(await prune(store, T0 + 11), 2);
    const [kept] = await store.claimKeys([{ handler: 'mail', key: 'k2', owner: 9, expiresAt: T0 + 99 }], T0 + 11);
    assert.deepEqual(kept, { state: 'processing', expiresAt: T0 + 20 });
    assert.equal(await prune(store, T0 + 21), 1);
  },

  'buckets that are full again go, the others stay as they are': async ({ store }) => {
    await join(store);
    const take = { handler: 'mail', key: 'a', burst: 2, intervalMs: 1_000 };
    await store.takeTokens([take, { ...take, key: 'b' }, { ...take, key: 'b' }, { ...take, key: 'b' }], T0);
    assert.equal(await prune(store, T0 + 999), 0);
    assert.equal(await prune(store, T0 + 1_001), 1);
    assert.equal(await prune(store, T0 + 2_999), 0);
    assert.deepEqual(await store.takeTokens([{ ...take, key: 'b' }], T0 + 500), [
      { slotAt: T0 + 2_000, tokens: 0, nextSlot: T0 + 2_000 },
    ]);
    assert.equal(await prune(store, T0 + HOUR), 1);
  },

  'takes at most its limit of keys and of buckets a call': async ({ store }) => {
    await join(store);
    const keys = names('k', 7);
    await store.claimKeys(
      keys.map((key) => ({ handler: 'mail', key, owner: 1, expiresAt: T0 + 1 })),
      T0,
    );
    await store.takeTokens(
      keys.map((key) => ({ handler: 'mail', key, burst: 1, intervalMs: 1 })),
      T0,
    );
    const pruned: number[] = [];
    for (let round = 0; round < 3; round++) pruned.push(await prune(store, T0 + HOUR, 3));
    assert.deepEqual([pruned, await prune(store, T0 + HOUR, 3)], [[6, 6, 2], 0]);
  },
});
