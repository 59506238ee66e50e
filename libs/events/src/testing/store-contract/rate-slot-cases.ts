import assert from 'node:assert/strict';
import type { EventStore } from '../../store/event-store.js';
import type { ClaimedDelivery, SettlementOutcome } from '../../store/records.js';
import { contractCases } from './contract-case.js';
import { claimOne, DEAD, failure, leased, settle, settlement, T0 } from './scene.js';

/** Settles, stages what waits for T0 + 1, and claims again. */
async function again(
  store: EventStore,
  node: number,
  delivery: ClaimedDelivery,
  outcome: SettlementOutcome,
): Promise<ClaimedDelivery> {
  assert.equal(await settle(store, node, delivery, outcome), true);
  await store.stage(T0 + 1, 1);
  return claimOne(store, node);
}

const SNOOZED = { outcome: 'snoozed', availableAt: T0 + 1 } as const;

export const rateSlotCases = contractCases('rate slot', {
  'what is snoozed with a token has it when it comes back': async ({ store }) => {
    const { node, delivery } = await leased(store);
    const back = await again(store, node, delivery, { ...SNOOZED, rateSlot: T0 + 1 });
    assert.equal(back.rateSlot, T0 + 1);
    assert.equal((await again(store, node, back, SNOOZED)).rateSlot, null);
  },

  'what is released with a token keeps it, and without one has none': async ({ store }) => {
    const { node, delivery } = await leased(store);
    const kept = await again(store, node, delivery, { outcome: 'released', rateSlot: T0 - 7 });
    assert.equal(kept.rateSlot, T0 - 7);
    const none = await again(store, node, kept, { outcome: 'released', rateSlot: null });
    assert.equal(none.rateSlot, null);
    const once = await again(store, node, none, { outcome: 'released', rateSlot: T0 });
    assert.equal((await again(store, node, once, { outcome: 'released' })).rateSlot, null);
  },

  'a transaction that snoozes with a token keeps it too': async ({ store }) => {
    const { node, delivery } = await leased(store);
    const snoozed = settlement(delivery, { ...SNOOZED, rateSlot: T0 + 1 });
    assert.equal(await store.transaction((manager) => store.settleIn(manager, node, snoozed, T0)), true);
    await store.stage(T0 + 1, 1);
    assert.equal((await claimOne(store, node)).rateSlot, T0 + 1);
  },

  'an attempt spends the token: a retry and a redriven delivery have none': async ({ store }) => {
    const { node, delivery } = await leased(store);
    const first = await again(store, node, delivery, { ...SNOOZED, rateSlot: T0 });
    const retry = { outcome: 'retry', availableAt: T0 + 1, failure: failure(1) } as const;
    const second = await again(store, node, first, retry);
    assert.equal(second.rateSlot, null);
    const third = await again(store, node, second, { ...SNOOZED, rateSlot: T0 });
    assert.equal(await settle(store, node, third, DEAD), true);
    assert.deepEqual(await store.redrive({}, 1, T0), [delivery.id]);
    assert.equal((await claimOne(store, node)).rateSlot, null);
  },
});
