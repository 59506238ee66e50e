import assert from 'node:assert/strict';
import type { ClaimedDelivery } from '../../store/records.js';
import { contractCases } from './contract-case.js';
import {
  append,
  at,
  claim,
  claimOne,
  event,
  eventIds,
  failure,
  join,
  leased,
  names,
  only,
  settle,
  states,
  T0,
} from './scene.js';

export const claimCases = contractCases('claim', {
  'leases a delivery together with its event, and it is processing': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('e1', [at(20)], { headers: '{"a":"b"}' })]);
    const claimed = await claim(store, node);
    const { id } = await only(store, 'e1');
    assert.deepEqual(claimed, [
      {
        id,
        claims: 1,
        handler: 'mail',
        priority: 20,
        attempts: 0,
        crashes: 0,
        rateSlot: null,
        dueAt: T0,
        lane: null,
        event: await store.findEvent('e1'),
      },
    ]);
    assert.deepEqual(await states(store, 'e1'), ['mail processing']);
    assert.deepEqual(await claim(store, node), []);
  },

  'takes lower priorities first, then older deliveries, and answers in that order': async ({ store }) => {
    const node = await join(store);
    const priorities = [50, 0, 100, 50, 7, 0];
    await append(
      store,
      priorities.map((priority, index) => event(`e${index}`, [at(priority)])),
    );
    assert.deepEqual(eventIds(await claim(store, node, 4)), ['e1', 'e5', 'e4', 'e0']);
    assert.deepEqual(eventIds(await claim(store, node, 4)), ['e3', 'e2']);
  },

  'a newcomer of a lower priority goes first': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('a', [at(50)]), event('b', [at(50)])]);
    assert.deepEqual(eventIds(await claim(store, node, 1)), ['a']);
    await append(store, [event('urgent', [at(1)])]);
    assert.deepEqual(eventIds(await claim(store, node, 2)), ['urgent', 'b']);
  },

  'what was given back keeps its place': async ({ store }) => {
    const node = await join(store);
    await append(
      store,
      names('e', 3).map((id) => event(id, ['mail'])),
    );
    const first = await claimOne(store, node);
    await claimOne(store, node);
    await settle(store, node, first, { outcome: 'released' });
    assert.deepEqual(eventIds(await claim(store, node)), ['e0', 'e2']);
  },

  'the best of all handlers go first when the limit binds': async ({ store }) => {
    const node = await join(store, ['mail', 'ledger', 'fraud']);
    await append(store, [
      event('e0', [at(50, 'mail')]),
      event('e1', [at(50, 'ledger')]),
      event('e2', [at(10, 'fraud')]),
      event('e3', [at(30, 'ledger')]),
      event('e4', [at(50, 'mail')]),
    ]);
    const wants = ['mail', 'ledger', 'fraud'].map((handler) => ({ handler, limit: 5 }));
    const claimed = await store.claim({ node, wants, limit: 4, suspect: true });
    assert.deepEqual(eventIds(claimed ?? []), ['e2', 'e3', 'e0', 'e1']);
  },

  'takes no more of a handler than it is asked for, and nothing of handlers not asked for': async ({ store }) => {
    const node = await join(store, ['mail', 'ledger', 'fraud']);
    await append(
      store,
      names('e', 4).map((id) => event(id, ['mail', 'ledger', 'fraud'])),
    );
    const wants = [
      { handler: 'mail', limit: 1 },
      { handler: 'ledger', limit: 3 },
    ];
    const claimed = (await store.claim({ node, wants, limit: 10, suspect: true })) ?? [];
    assert.deepEqual(claimed.map((one) => `${one.handler} ${one.event.id}`).toSorted(), [
      'ledger e0',
      'ledger e1',
      'ledger e2',
      'mail e0',
    ]);
    assert.deepEqual(await states(store, 'e0'), ['mail processing', 'ledger processing', 'fraud pending']);
  },

  'answers nothing to a claim that wants nothing': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('e1', ['mail'])]);
    assert.deepEqual(await store.claim({ node, wants: [], limit: 10, suspect: true }), []);
  },

  'refuses a node that is not registered, and leases nothing': async ({ store }) => {
    const node = await join(store);
    const gone = await join(store, ['mail'], 'node-b');
    await store.removeNode(gone, T0);
    await append(store, [event('e1', ['mail'])]);
    const wants = [{ handler: 'mail', limit: 10 }];
    for (const stranger of [gone, gone + 1_000]) {
      assert.equal(await store.claim({ node: stranger, wants, limit: 10, suspect: true }), null);
    }
    assert.deepEqual(await states(store, 'e1'), ['mail pending']);
    assert.equal((await claimOne(store, node)).claims, 1);
  },

  'claims grows by one at every claim and is never taken back': async ({ store }) => {
    const node = await join(store);
    const other = await join(store, ['mail'], 'node-b');
    await append(store, [event('e1', ['mail'])]);
    const seen: number[] = [];
    const claimAs = async (claimer: number) => {
      const delivery = await claimOne(store, claimer);
      seen.push(delivery.claims);
      return delivery;
    };
    await settle(store, node, await claimAs(node), { outcome: 'released' });
    await settle(store, other, await claimAs(other), { outcome: 'snoozed', availableAt: T0 + 1 });
    await store.stage(T0 + 1, 1);
    await settle(store, node, await claimAs(node), { outcome: 'retry', availableAt: T0 + 2, failure: failure(1) });
    await store.stage(T0 + 2, 1);
    await claimAs(node);
    await store.removeNode(node, T0);
    await claimAs(other);
    assert.deepEqual(seen, [1, 2, 3, 4, 5]);
  },

  'takes at most one suspect, and none when it may not': async ({ store }) => {
    const node = await join(store);
    const crashing = await join(store, ['mail'], 'node-b');
    await append(
      store,
      names('suspect', 3).map((id) => event(id, ['mail'])),
    );
    assert.equal((await claim(store, crashing)).length, 3);
    await store.removeNode(crashing, T0);
    await append(
      store,
      names('innocent', 2).map((id) => event(id, ['mail'])),
    );
    const wants = [{ handler: 'mail', limit: 10 }];
    const without = (await store.claim({ node, wants, limit: 10, suspect: false })) ?? [];
    assert.deepEqual(eventIds(without), ['innocent0', 'innocent1']);
    const suspects: ClaimedDelivery[] = [];
    for (let round = 0; round < 4; round++) {
      const claimed = (await store.claim({ node, wants, limit: 10, suspect: true })) ?? [];
      assert.ok(claimed.length <= 1, `${claimed.length} suspects in one claim`);
      suspects.push(...claimed);
    }
    assert.deepEqual(eventIds(suspects), names('suspect', 3));
    assert.deepEqual(
      suspects.map((one) => one.crashes),
      [1, 1, 1],
    );
  },

  'takes at most one suspect over all handlers, and innocents beside it': async ({ store }) => {
    const node = await join(store, ['mail', 'ledger']);
    const crashing = await join(store, ['mail', 'ledger'], 'node-b');
    await append(store, [event('bad', ['mail', 'ledger'])]);
    await claim(store, crashing, 10, ['mail', 'ledger']);
    await store.removeNode(crashing, T0);
    await append(store, [event('good', ['mail', 'ledger'])]);
    const claimed = await claim(store, node, 10, ['mail', 'ledger']);
    assert.deepEqual(eventIds(claimed).toSorted(), ['bad', 'good', 'good']);
  },

  'does not take what is scheduled, leased, finished or dead': async ({ store }) => {
    const { node, delivery } = await leased(store, 'leased');
    await append(store, [event('late', ['mail'], { availableAt: T0 + 1 })]);
    await append(
      store,
      names('e', 3).map((id) => event(id, ['mail'])),
    );
    const [done, dead, cancelled] = await claim(store, node);
    await settle(store, node, done, { outcome: 'completed', attempts: 1, durationMs: 1 });
    await settle(store, node, dead, { outcome: 'dead', reason: 'rejected', failure: failure(1) });
    await store.cancel(cancelled.id, T0);
    assert.deepEqual(await claim(store, node), []);
    assert.equal(delivery.claims, 1);
  },

  'takes all that comes after the place it is told to begin at, and with no place all there is': async ({ store }) => {
    const node = await join(store);
    const crashing = await join(store, ['mail'], 'node-b');
    await append(store, [event('suspect', [at(1)])]);
    await claimOne(store, crashing);
    await store.removeNode(crashing, T0);
    const priorities = [50, 50, 50, 10, 90, 50];
    await append(
      store,
      priorities.map((priority, index) => event(`e${index}`, [at(priority)])),
    );
    const { id } = await only(store, 'e1');
    const wants = [{ handler: 'mail', limit: 10, after: { priority: 50, id } }];
    const claimed = eventIds((await store.claim({ node, wants, limit: 10, suspect: true })) ?? []);
    // What comes before, the store may leave or take.
    const after = ['suspect', 'e2', 'e5', 'e4'];
    assert.deepEqual(
      claimed.filter((one) => after.includes(one)),
      after,
    );
    const rest = eventIds(await claim(store, node));
    assert.deepEqual([...claimed, ...rest].toSorted(), [...names('e', 6), 'suspect']);
  },

  'leaves payloads over 64 KiB out, and they can be read by seq': async ({ store }) => {
    const node = await join(store);
    // 2 bytes for the quotes; the last is over the limit in bytes, not in characters.
    const payloads = [`"${'x'.repeat(65_534)}"`, `"${'x'.repeat(65_535)}"`, `"${'é'.repeat(40_000)}"`];
    await append(
      store,
      payloads.map((payload, index) => event(`e${index}`, ['mail'], { payload })),
    );
    const claimed = await claim(store, node);
    assert.deepEqual(
      claimed.map((one) => one.event.payload === null),
      [false, true, true],
    );
    assert.ok(claimed[0]?.event.payload === payloads[0], 'a payload of 64 KiB comes with the claim, unharmed');
    for (const [index, one] of claimed.entries()) {
      assert.ok((await store.payload(one.event.seq)) === payloads[index], `payload ${index} read by seq`);
      assert.ok((await store.findEvent(one.event.id))?.payload === payloads[index], `payload ${index} of the event`);
    }
  },

  'two stores that claim 2,000 deliveries at once never share one': async ({ store, another }) => {
    const other = await another();
    const nodes = [await join(store), await join(other, ['mail'], 'node-b')];
    await append(
      store,
      names('e', 2_000).map((id) => event(id, ['mail'])),
    );
    const taken: number[] = [];
    const drain = async (from: typeof store, node: number) => {
      // A claim may come back empty while another is taking the last rows, so emptiness ends nobody's turn.
      for (let round = 0; taken.length < 2_000 && round < 400; round++) {
        for (const one of await claim(from, node, 50)) {
          assert.equal(one.claims, 1);
          taken.push(one.id);
        }
      }
    };
    const [a, b] = nodes as [number, number];
    await Promise.all([drain(store, a), drain(other, b), drain(store, a), drain(other, b)]);
    assert.deepEqual([taken.length, new Set(taken).size], [2_000, 2_000]);
  },
});
