import assert from 'node:assert/strict';
import type { KeyAnswer, KeyClaim } from '../../store/chain.store.js';
import type { EventStore } from '../../store/event-store.js';
import type { ClaimedDelivery, Settlement, SettlementOutcome } from '../../store/records.js';
import { contractCases } from './contract-case.js';
import {
  append,
  claim,
  claimOne,
  COMPLETED,
  DEAD,
  event,
  failure,
  HOUR,
  join,
  leased,
  names,
  openTransaction,
  settle,
  settlement,
  T0,
} from './scene.js';

const CLAIMED: KeyAnswer = { state: 'claimed' };
const DONE: KeyAnswer = { state: 'completed' };
const processing = (expiresAt: number): KeyAnswer => ({ state: 'processing', expiresAt });

/** A delivery that is not there; keys ask nobody who their owner is. */
const STRANGER = 900_001;

async function claimKey(
  store: EventStore,
  owner: number,
  now = T0,
  fields: Partial<KeyClaim> = {},
): Promise<KeyAnswer> {
  const [answer] = await store.claimKeys([{ handler: 'mail', key: 'k', owner, expiresAt: now + 100, ...fields }], now);
  return answer ?? assert.fail('no answer');
}

/** A settlement of a delivery that has claimed the key, which is remembered for an hour. */
function withKey(delivery: ClaimedDelivery, outcome: SettlementOutcome, key = 'k'): Settlement {
  return { ...settlement(delivery, outcome), key: { key, expiresAt: T0 + HOUR } };
}

export const keyCases = contractCases('keys', {
  'a free key is claimed, and being processed for everybody else': async ({ store, another }) => {
    await join(store);
    assert.deepEqual(await claimKey(store, 1), CLAIMED);
    assert.deepEqual(await claimKey(await another(), 2, T0 + 50), processing(T0 + 100));
  },

  'of 50 that claim one key at once exactly one gets it': async ({ store, another }) => {
    await join(store);
    const other = await another();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => claimKey(index % 2 === 0 ? store : other, index + 1)),
    );
    assert.deepEqual(
      answers.toSorted((a, b) => (a.state < b.state ? -1 : Number(a.state > b.state))),
      [CLAIMED, ...Array.from({ length: 49 }, () => processing(T0 + 100))],
    );
  },

  'the delivery that has it claims it again, for longer': async ({ store }) => {
    await join(store);
    await claimKey(store, 1);
    assert.deepEqual(await claimKey(store, 1, T0 + 50), CLAIMED);
    assert.deepEqual(await claimKey(store, 2, T0 + 120), processing(T0 + 150));
  },

  'one that is still being processed when its time is over goes to the next': async ({ store }) => {
    await join(store);
    await claimKey(store, 1);
    assert.deepEqual(await claimKey(store, 2, T0 + 99), processing(T0 + 100));
    assert.deepEqual(await claimKey(store, 2, T0 + 101), CLAIMED);
    assert.deepEqual(await claimKey(store, 1, T0 + 102), processing(T0 + 201));
  },

  'a completed delivery completes its key for all, until it is forgotten': async ({ store }) => {
    const { node, delivery } = await leased(store);
    await claimKey(store, delivery.id);
    assert.deepEqual(await store.settle(node, [withKey(delivery, COMPLETED)], T0), [true]);
    assert.deepEqual([await claimKey(store, STRANGER), await claimKey(store, delivery.id)], [DONE, DONE]);
    assert.deepEqual(await claimKey(store, STRANGER, T0 + HOUR - 1), DONE);
    assert.deepEqual(await claimKey(store, STRANGER, T0 + HOUR + 1), CLAIMED);
  },

  'any other outcome gives its key free': async ({ store }) => {
    const node = await join(store);
    const outcomes: SettlementOutcome[] = [
      { outcome: 'retry', availableAt: T0 + 9 * HOUR, failure: failure(1) },
      { outcome: 'snoozed', availableAt: T0 + 9 * HOUR },
      { outcome: 'duplicate', attempts: 0, durationMs: 0 },
      { outcome: 'cancelled', attempts: 0, durationMs: 0 },
      DEAD,
      { outcome: 'released' },
    ];
    for (const outcome of outcomes) {
      await append(store, [event(outcome.outcome, ['mail'])]);
      const delivery = await claimOne(store, node);
      const key = outcome.outcome;
      await claimKey(store, delivery.id, T0, { key });
      assert.deepEqual(await store.settle(node, [withKey(delivery, outcome, key)], T0), [true]);
      assert.deepEqual(await claimKey(store, STRANGER, T0, { key }), CLAIMED, key);
    }
  },

  'a settlement without a key leaves it as it is': async ({ store }) => {
    const { node, delivery } = await leased(store);
    await claimKey(store, delivery.id);
    assert.equal(await settle(store, node, delivery, COMPLETED), true);
    assert.deepEqual(await claimKey(store, STRANGER), processing(T0 + 100));
  },

  'a settlement that is refused leaves the key as it is': async ({ store }) => {
    const { node, delivery } = await leased(store);
    await claimKey(store, delivery.id);
    const lost = { ...withKey(delivery, COMPLETED), claims: delivery.claims + 1 };
    assert.deepEqual(await store.settle(node, [lost], T0), [false]);
    assert.deepEqual(await claimKey(store, STRANGER), processing(T0 + 100));
  },

  'a key that another has taken over is not ended by the one that had it': async ({ store }) => {
    const { node, delivery } = await leased(store);
    await claimKey(store, delivery.id);
    await claimKey(store, STRANGER, T0 + 101);
    assert.deepEqual(await store.settle(node, [withKey(delivery, COMPLETED)], T0 + 102), [true]);
    assert.deepEqual(await claimKey(store, 1, T0 + 103), processing(T0 + 201));
  },

  'each settlement of a batch ends its own key': async ({ store }) => {
    const node = await join(store);
    await append(
      store,
      names('e', 3).map((id) => event(id, ['mail'])),
    );
    const [a, b, c] = await claim(store, node);
    assert.ok(a && b && c);
    const of = ({ id }: ClaimedDelivery) => `key of ${id}`;
    const claims = [a, b, c].map((one) => ({ handler: 'mail', key: of(one), owner: one.id, expiresAt: T0 + 100 }));
    assert.deepEqual(await store.claimKeys(claims, T0), [CLAIMED, CLAIMED, CLAIMED]);
    const batch = [withKey(a, COMPLETED, of(a)), withKey(b, DEAD, of(b)), withKey(c, COMPLETED, of(c))];
    assert.deepEqual(await store.settle(node, batch, T0), [true, true, true]);
    const again = claims.map((one) => ({ ...one, owner: STRANGER }));
    assert.deepEqual(await store.claimKeys(again, T0), [DONE, CLAIMED, DONE]);
  },

  'a settlement in a transaction ends the key with the commit, and not with a rollback': async ({ store }) => {
    const { node, delivery } = await leased(store);
    await claimKey(store, delivery.id);
    const settling = () =>
      openTransaction(store, (manager) => store.settleIn(manager, node, withKey(delivery, COMPLETED), T0));
    const first = await settling();
    await first.rollBack();
    assert.equal(first.result, true);
    assert.deepEqual(await claimKey(store, STRANGER), processing(T0 + 100));
    const second = await settling();
    await second.commit();
    assert.equal(second.result, true);
    assert.deepEqual(await claimKey(store, STRANGER), DONE);
  },

  'of one key twice in a call the first gets it': async ({ store }) => {
    await join(store);
    const claims = [1, 2, 1, 3].map((owner) => ({ handler: 'mail', key: 'k', owner, expiresAt: T0 + owner }));
    const later = processing(T0 + 1);
    assert.deepEqual(await store.claimKeys(claims, T0), [CLAIMED, later, CLAIMED, later]);
  },

  'each key of a handler is one of its own, compared exactly': async ({ store }) => {
    await join(store);
    const keys = ['a', 'A', 'á', 'a ', ' a', `'; --`, '__proto__', 'k'.repeat(255)];
    // Owners of their own: whoever has a key would be let in again.
    const claims = keys.map((key, index) => ({ handler: 'mail', key, owner: index + 1, expiresAt: T0 + 100 }));
    const given = [...claims, { handler: 'ledger', key: 'a', owner: 99, expiresAt: T0 + 100 }];
    assert.deepEqual(
      await store.claimKeys(given, T0),
      given.map(() => CLAIMED),
    );
    assert.deepEqual(
      await store.claimKeys(
        given.map((one) => ({ ...one, owner: STRANGER })),
        T0,
      ),
      given.map(() => processing(T0 + 100)),
    );
  },

  'calls that claim the same keys in another order at once share them out': async ({ store, another }) => {
    await join(store);
    const other = await another();
    const keys = names('k', 20);
    const answers = await Promise.all(
      Array.from({ length: 10 }, async (_, index) => {
        const order = index % 2 === 0 ? keys : keys.toReversed();
        const claims = order.map((key) => ({ handler: 'mail', key, owner: index + 1, expiresAt: T0 + 100 }));
        const given = await (index % 2 === 0 ? store : other).claimKeys(claims, T0);
        return order.filter((_key, place) => given[place]?.state === 'claimed');
      }),
    );
    assert.deepEqual(answers.flat().toSorted(), keys.toSorted());
  },

  'claims nothing when it is given nothing': async ({ store }) => {
    assert.deepEqual(await store.claimKeys([], T0), []);
  },
});
