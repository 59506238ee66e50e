import assert from 'node:assert/strict';
import type { EventStore } from '../../store/event-store.js';
import type { TrialRequest } from '../../store/handler.store.js';
import type { ClaimedDelivery } from '../../store/records.js';
import { contractCases, type StoreHarness } from './contract-case.js';
import { append, at, claim, COMPLETED, event, eventIds, join, names, settle, states, T0 } from './scene.js';

/** A node, waiting deliveries of `mail`, and the epoch in which its circuit is half-open. */
async function scene({ store }: StoreHarness, events = 10): Promise<{ node: number; epoch: number }> {
  const node = await join(store);
  await append(
    store,
    names('e', events).map((id) => event(id, ['mail'])),
  );
  return { node, epoch: await halfOpen(store) };
}

async function halfOpen(store: EventStore): Promise<number> {
  const [mail] = await store.handlerStates();
  const { epoch } = mail?.circuit ?? assert.fail('mail has no state');
  await store.changeCircuit('mail', epoch, 'open', T0);
  await store.changeCircuit('mail', epoch + 1, 'half-open', T0);
  return epoch + 2;
}

/** Claims trials as a node that is registered; suspects are welcome. */
async function trials(
  store: EventStore,
  request: Partial<TrialRequest> & Pick<TrialRequest, 'node' | 'epoch' | 'most'>,
): Promise<ClaimedDelivery[]> {
  const claimed = await store.claimTrials({ handler: 'mail', suspect: true, ...request });
  assert.ok(claimed, 'a registered node was refused its trials');
  return claimed;
}

export const trialCases = contractCases('trials', {
  'are the best that wait, as many as may be, leased like any delivery': async (harness) => {
    const { store } = harness;
    const { node, epoch } = await scene(harness, 3);
    await append(store, [event('urgent', [at(1)])]);
    const [first, ...others] = await trials(store, { node, epoch, most: 2 });
    assert.deepEqual(first, {
      id: first?.id,
      claims: 1,
      handler: 'mail',
      priority: 1,
      attempts: 0,
      crashes: 0,
      rateSlot: null,
      dueAt: T0,
      lane: null,
      event: await store.findEvent('urgent'),
    });
    assert.deepEqual(eventIds(others), ['e0']);
    assert.deepEqual(
      [await states(store, 'urgent'), await states(store, 'e1')],
      [['mail processing'], ['mail pending']],
    );
    assert.equal(await settle(store, node, first, COMPLETED), true);
  },

  'are never more than may be, however many nodes ask at once': async (harness) => {
    const { store } = harness;
    const { node, epoch } = await scene(harness, 40);
    const other = await harness.another();
    const otherNode = await join(other, ['mail'], 'node-b');
    const claimed = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        index % 2 === 0 ? trials(store, { node, epoch, most: 3 }) : trials(other, { node: otherNode, epoch, most: 3 }),
      ),
    );
    const leasedAtOnce = claimed.flat().length;
    assert.ok(leasedAtOnce <= 3, `${leasedAtOnce} trials at once`);
    // Callers may have made way for one another; what is left of the number can be had now.
    assert.equal((await trials(store, { node, epoch, most: 3 })).length, 3 - leasedAtOnce);
    assert.deepEqual(await trials(other, { node: otherNode, epoch, most: 3 }), []);
  },

  'one that has ended makes room for another, whatever came of it': async (harness) => {
    const { store } = harness;
    const { node, epoch } = await scene(harness);
    const [first] = await trials(store, { node, epoch, most: 1 });
    await settle(store, node, first, COMPLETED);
    const [second, ...more] = await trials(store, { node, epoch, most: 1 });
    assert.deepEqual([second?.event.id, more], ['e1', []]);
    await settle(store, node, second, { outcome: 'snoozed', availableAt: T0 + 1 });
    assert.deepEqual(eventIds(await trials(store, { node, epoch, most: 1 })), ['e2']);
    assert.deepEqual(await trials(store, { node, epoch, most: 1 }), []);
  },

  'that of a node that died can be leased again, and counts once': async (harness) => {
    const { store } = harness;
    const { node, epoch } = await scene(harness);
    const dying = await join(store, ['mail'], 'node-b');
    assert.deepEqual(eventIds(await trials(store, { node: dying, epoch, most: 2 })), ['e0', 'e1']);
    assert.deepEqual(await trials(store, { node, epoch, most: 2 }), []);
    await store.removeNode(dying, T0);
    const again = await trials(store, { node, epoch, most: 2 });
    assert.deepEqual(
      again.map((one) => [one.event.id, one.crashes, one.claims]),
      [
        ['e0', 1, 2],
        ['e2', 0, 1],
      ],
    );
    assert.deepEqual(await trials(store, { node, epoch, most: 2 }), []);
    assert.deepEqual(eventIds(await trials(store, { node, epoch, most: 3 })), ['e1']);
  },

  'hold one suspect at most, and none when none may be': async (harness) => {
    const { store } = harness;
    const { node, epoch } = await scene(harness, 2);
    const dying = await join(store, ['mail'], 'node-b');
    await claim(store, dying);
    await store.removeNode(dying, T0);
    await append(store, [event('innocent', ['mail'])]);
    assert.deepEqual(eventIds(await trials(store, { node, epoch, most: 2, suspect: false })), ['innocent']);
    assert.deepEqual(eventIds(await trials(store, { node, epoch, most: 9 })), ['e0']);
  },

  'there are none in another epoch, nor of a circuit that is not half-open, nor of nobody': async (harness) => {
    const { store } = harness;
    const { node, epoch } = await scene(harness);
    for (const other of [epoch - 1, epoch + 1]) {
      assert.deepEqual(await trials(store, { node, epoch: other, most: 5 }), []);
    }
    assert.deepEqual(await trials(store, { node, epoch, most: 5, handler: 'nobody' }), []);
    await store.changeCircuit('mail', epoch, 'open', T0);
    assert.deepEqual(await trials(store, { node, epoch: epoch + 1, most: 5 }), []);
    await store.changeCircuit('mail', epoch + 1, 'closed', T0);
    assert.deepEqual(await trials(store, { node, epoch: epoch + 2, most: 5 }), []);
    assert.deepEqual(await states(store, 'e0'), ['mail pending']);
  },

  'there are none of a handler that is paused or retired': async (harness) => {
    const { store } = harness;
    const { node, epoch } = await scene(harness);
    await store.setPaused('mail', true);
    assert.deepEqual(await trials(store, { node, epoch, most: 1 }), []);
    await store.setPaused('mail', false);
    assert.equal((await trials(store, { node, epoch, most: 1 })).length, 1);
    await store.retire('mail', T0);
    assert.deepEqual(await trials(store, { node, epoch, most: 5 }), []);
  },

  'are refused to a node that is not registered': async (harness) => {
    const { store } = harness;
    const { epoch } = await scene(harness);
    const gone = await join(store, ['mail'], 'node-b');
    await store.removeNode(gone, T0);
    assert.equal(await store.claimTrials({ node: gone, handler: 'mail', epoch, most: 1, suspect: true }), null);
    assert.deepEqual(await states(store, 'e0'), ['mail pending']);
  },

  'of an earlier epoch do not count': async (harness) => {
    const { store } = harness;
    const { node, epoch } = await scene(harness);
    assert.equal((await trials(store, { node, epoch, most: 1 })).length, 1);
    await store.changeCircuit('mail', epoch, 'open', T0);
    await store.changeCircuit('mail', epoch + 1, 'half-open', T0);
    assert.deepEqual(eventIds(await trials(store, { node, epoch: epoch + 2, most: 1 })), ['e1']);
  },
});
