import assert from 'node:assert/strict';
import { contractCases } from './contract-case.js';
import { keyed, lane, ORDERED, RETRY, run, take, taken } from './lane-scene.js';
import {
  append,
  COMPLETED,
  DEAD,
  eventIds,
  handler,
  join,
  names,
  only,
  openTransaction,
  settle,
  settlement,
  startMeanwhile,
  states,
  T0,
} from './scene.js';

export const laneLeaseCases = contractCases('lanes and leases', {
  'of a run of a removed node only the first is charged; it is a run by itself, and the lane goes on behind it':
    async ({ store }) => {
      const node = await lane(store, ['a', 'a', 'a', 'b', 'a']);
      await run(store, node, ['e0', 'e1', 'e2', 'e3'], 4);
      const other = await join(store, [ORDERED], 'node-b');
      assert.deepEqual(await taken(store, other), []);
      await store.removeNode(node, T0 + 5);
      // One suspect at a time: the head of the other lane waits too.
      const [suspect] = await run(store, other, ['e0'], 9);
      assert.deepEqual([suspect.crashes, suspect.attempts, suspect.claims], [1, 0, 2]);
      assert.deepEqual(
        (await only(store, 'e0')).failures.map((failure) => [failure.name, failure.attempt]),
        [['node-lost', 1]],
      );
      assert.deepEqual([(await only(store, 'e1')).attempts, (await only(store, 'e3')).attempts], [0, 1]);
      await settle(store, other, suspect, COMPLETED);
      const rest = await take(store, other, 9, false);
      assert.deepEqual(eventIds(rest), ['e1', 'e2', 'e4']);
      assert.deepEqual(
        rest.map((one) => [one.crashes, one.attempts, one.claims]),
        [
          [0, 0, 2],
          [0, 0, 2],
          [0, 0, 1],
        ],
      );
      assert.deepEqual(await taken(store, other), ['e3']);
    },

  'a suspect that may not be claimed keeps its lane waiting, and no other': async ({ store }) => {
    const node = await lane(store, ['a', 'a', 'b']);
    await run(store, node, ['e0'], 1);
    await store.removeNode(node, T0);
    const other = await join(store, [ORDERED], 'node-b');
    assert.deepEqual(await taken(store, other, 9, false), ['e2']);
    assert.deepEqual(await taken(store, other, 9, false), []);
    const [suspect] = await run(store, other, ['e0'], 9);
    assert.deepEqual(await taken(store, other), []);
    await settle(store, other, suspect, COMPLETED);
    assert.deepEqual(await taken(store, other), ['e1']);
  },

  'orphans of a run are charged in the same way': async ({ store, forgetNode }) => {
    const node = await lane(store, 3);
    await run(store, node, ['e0', 'e1']);
    const other = await join(store, [ORDERED], 'node-b');
    await forgetNode(node);
    assert.equal(await store.rescueOrphans(T0), 2);
    const [first] = await run(store, other, ['e0'], 9);
    await settle(store, other, first, COMPLETED);
    const rest = await run(store, other, ['e1', 'e2'], 9);
    assert.deepEqual([first.crashes, ...rest.map((one) => one.crashes)], [1, 0, 0]);
  },

  'a cancelled delivery is passed over, wherever in the lane it stands': async ({ store }) => {
    const node = await lane(store, 6);
    const ids = await Promise.all(names('e', 6).map(async (id) => (await only(store, id)).id));
    await store.cancel(ids[0], T0);
    const [first] = await run(store, node, ['e1']);
    assert.deepEqual(await taken(store, node), []);
    await store.cancel(ids[2], T0);
    await settle(store, node, first, RETRY);
    await store.cancel(ids[1], T0);
    await run(store, node, ['e3']);
    assert.deepEqual(await taken(store, node), []);
    await store.cancel(ids[3], T0);
    assert.deepEqual(await taken(store, node), ['e4', 'e5']);
  },

  'a lane goes on by the commit of a transaction that completes its head, and not before': async ({
    store,
    another,
  }) => {
    const node = await lane(store, 3);
    const [first] = await run(store, node, ['e0']);
    const other = await another();
    assert.deepEqual(await taken(other, node), []);
    const open = await openTransaction(store, (manager) =>
      store.settleIn(manager, node, settlement(first, COMPLETED), T0),
    );
    const claimed = await startMeanwhile(() => taken(other, node));
    await open.commit();
    const early = await claimed.done;
    assert.equal(open.result, true);
    if (early.length === 0) assert.deepEqual(await taken(other, node), ['e1', 'e2']);
    else assert.deepEqual(early, ['e1', 'e2']);
  },

  'a lane waits on after a rollback of what would have completed its head': async ({ store }) => {
    const node = await lane(store, 2);
    const [first] = await run(store, node, ['e0']);
    const open = await openTransaction(store, (manager) =>
      store.settleIn(manager, node, settlement(first, COMPLETED), T0),
    );
    await open.rollBack();
    assert.deepEqual(await taken(store, node), []);
    await settle(store, node, first, COMPLETED);
    assert.deepEqual(await taken(store, node), ['e1']);
  },

  'settles, cancels and claims at once never leave a lane without a way on': async ({ store, another }) => {
    const node = await lane(store, 90);
    const others = [await another(), await another()];
    const ids = await Promise.all(names('e', 90).map(async (id) => (await only(store, id)).id));
    const order: string[] = [];
    let cancelled = 0;
    for (let round = 0; order.length + cancelled < 90; round++) {
      assert.ok(round < 90, `stuck after ${order.join(' ')} and ${cancelled} cancelled`);
      const claimed = await take(store, node, 2);
      order.push(...eventIds(claimed));
      const next = order.length + cancelled;
      const [written, , gone] = await Promise.all([
        store.settle(
          node,
          claimed.map((one) => settlement(one, COMPLETED)),
          T0,
        ),
        take(others[0], node).then((early) => {
          order.push(...eventIds(early));
          return others[0].settle(
            node,
            early.map((one) => settlement(one, COMPLETED)),
            T0,
          );
        }),
        next < 90 && round % 2 === 0 ? others[1].cancel(ids[next], T0) : false,
      ]);
      assert.ok(written.every(Boolean));
      // One that was claimed meanwhile is counted there.
      if (gone && !order.includes(`e${next}`)) cancelled++;
    }
    const places = order.map((id) => Number(id.slice(1)));
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
  },

  'trials of a half-open circuit keep to lanes': async ({ store }) => {
    const node = await lane(store, ['a', 'a', 'b']);
    const epoch = (await store.changeCircuit('ledger', 0, 'half-open', T0))?.circuit.epoch ?? 0;
    const ask = { node, handler: 'ledger', epoch, most: 1, suspect: true };
    const [trial] = (await store.claimTrials(ask)) ?? [];
    assert.equal(trial?.event.id, 'e0');
    assert.deepEqual(eventIds((await store.claimTrials({ ...ask, most: 9 })) ?? []), ['e2']);
    await settle(store, node, trial, COMPLETED);
    assert.deepEqual(eventIds((await store.claimTrials({ ...ask, most: 9 })) ?? []), ['e1']);
  },

  'a paused handler, one whose circuit is open and a retired one have no lanes to claim': async ({ store }) => {
    const node = await lane(store, 1);
    await store.setPaused('ledger', true);
    assert.deepEqual(await taken(store, node), []);
    await store.setPaused('ledger', false);
    await store.changeCircuit('ledger', 0, 'open', T0);
    const wants = [{ handler: 'ledger', limit: 9, ordered: true, circuit: true }];
    assert.deepEqual(await store.claim({ node, wants, limit: 9, suspect: true }), []);
    await store.retire('ledger', T0);
    assert.deepEqual(await taken(store, node), []);
    assert.equal(await store.claim({ node: node + 1_000, wants, limit: 9, suspect: true }), null);
  },

  'an adopted lane goes on under the new name, in its order': async ({ store }) => {
    const node = await lane(store, ['a', 'a', 'b', 'b']);
    const [first, second] = await run(store, node, ['e0', 'e2']);
    assert.deepEqual(await taken(store, node), []);
    await settle(store, node, second, DEAD);
    const other = await join(store, [{ ...ORDERED, name: 'book', aliases: ['ledger'] }], 'node-b');
    const wants = [{ handler: 'book', limit: 9, ordered: true }];
    const claimBooks = async () => eventIds((await store.claim({ node: other, wants, limit: 9, suspect: true })) ?? []);
    assert.deepEqual(await claimBooks(), []);
    await settle(store, node, first, COMPLETED);
    assert.deepEqual(await claimBooks(), ['e1']);
    await store.discard({}, 9);
    assert.deepEqual(await claimBooks(), ['e3']);
  },

  'an adopter that is not ordered has no lanes': async ({ store }) => {
    const node = await lane(store, 3);
    await run(store, node, ['e0']);
    assert.deepEqual(await taken(store, node), []);
    const other = await join(store, [handler('book', { aliases: ['ledger'] })], 'node-b');
    const claimed = await store.claim({ node: other, wants: [{ handler: 'book', limit: 9 }], limit: 9, suspect: true });
    assert.deepEqual(eventIds(claimed ?? []), ['e1', 'e2']);
  },

  'expired deliveries block their lane when the handler comes back, until they are redriven': async ({ store }) => {
    const node = await lane(store, 2);
    await store.retire('ledger', T0);
    assert.equal(await store.expireRetired(T0, 1), 1);
    await store.registerHandlers(node, [ORDERED], T0);
    await append(store, [keyed('e2')]);
    assert.deepEqual([await states(store, 'e0'), await taken(store, node)], [['ledger dead'], []]);
    await store.redrive({}, 9, T0);
    assert.deepEqual(await taken(store, node), ['e0', 'e1', 'e2']);
  },

  'an expired delivery lets a lane that skips go on': async ({ store }) => {
    const node = await lane(store, 3, { onDeadLetter: 'skip' });
    const [first] = await run(store, node, ['e0']);
    assert.deepEqual(await taken(store, node), []);
    await store.retire('ledger', T0);
    await settle(store, node, first, RETRY);
    assert.equal(await store.expireRetired(T0, 1), 1);
    await store.registerHandlers(node, [{ ...ORDERED, onDeadLetter: 'skip' }], T0);
    assert.deepEqual(await taken(store, node), ['e1', 'e2']);
  },
});
