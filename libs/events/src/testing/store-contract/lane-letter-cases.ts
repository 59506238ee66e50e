import assert from 'node:assert/strict';
import { contractCases } from './contract-case.js';
import { keyed, lane, ORDERED, RELEASED, run, taken } from './lane-scene.js';
import { append, COMPLETED, DEAD, HOUR, join, only, settle, settlement, states, T0 } from './scene.js';

const SKIP = { onDeadLetter: 'skip' } as const;

export const laneLetterCases = contractCases('lanes and dead letters', {
  'a dead letter blocks its lane, and no other': async ({ store }) => {
    const node = await lane(store, ['a', 'a', 'a', 'b']);
    const [first, second, other] = await run(store, node, ['e0', 'e1', 'e3'], 3);
    await store.settle(node, [settlement(first, DEAD), settlement(second, RELEASED)], T0);
    assert.deepEqual(await taken(store, node), []);
    await settle(store, node, other, COMPLETED);
    await append(store, [keyed('e4'), keyed('e5', 'b')]);
    assert.deepEqual(await taken(store, node), ['e5']);
    assert.deepEqual([await states(store, 'e1'), await states(store, 'e4')], [['ledger pending'], ['ledger pending']]);
  },

  'with `skip` the lane goes on past a dead letter': async ({ store }) => {
    const node = await lane(store, 3, SKIP);
    const [first] = await run(store, node, ['e0']);
    assert.deepEqual(await taken(store, node), []);
    await settle(store, node, first, DEAD);
    assert.deepEqual(await taken(store, node), ['e1', 'e2']);
  },

  'a redriven letter comes first, and its lane goes on behind it': async ({ store }) => {
    const node = await lane(store, 3);
    const [first] = await run(store, node, ['e0']);
    await settle(store, node, first, DEAD);
    assert.deepEqual(await taken(store, node), []);
    assert.deepEqual(await store.redrive({}, 10, T0), [first.id]);
    const [again] = await run(store, node, ['e0', 'e1']);
    assert.deepEqual([again.claims, again.attempts, again.lane], [2, 0, 'a']);
    assert.deepEqual(await taken(store, node), []);
  },

  'a letter redriven at a pace keeps its lane waiting until it is due': async ({ store }) => {
    const node = await lane(store, 2);
    const [first] = await run(store, node, ['e0']);
    await settle(store, node, first, DEAD);
    await store.redrive({}, 10, T0, { startAt: T0 + 100, everyMs: 1 });
    assert.deepEqual(await taken(store, node), []);
    await store.stage(T0 + 100, 10);
    assert.deepEqual(await taken(store, node), ['e0', 'e1']);
  },

  'a discarded letter lets its lane go on': async ({ store }) => {
    const node = await lane(store, 3);
    const [first] = await run(store, node, ['e0']);
    await settle(store, node, first, DEAD);
    assert.deepEqual(await taken(store, node), []);
    assert.deepEqual(await store.discard({}, 10), [first.id]);
    assert.deepEqual(await taken(store, node), ['e1', 'e2']);
  },

  'of two letters that block a lane both must go': async ({ store }) => {
    const node = await lane(store, 3, SKIP);
    const [first] = await run(store, node, ['e0']);
    await settle(store, node, first, DEAD);
    await store.registerHandlers(node, [ORDERED], T0);
    const [second] = await run(store, node, ['e1']);
    await settle(store, node, second, DEAD);
    await store.redrive({ eventId: 'e0' }, 1, T0);
    // What lies before the letter may run, what is behind it may not.
    const [again] = await run(store, node, ['e0'], 9);
    await settle(store, node, again, DEAD);
    assert.deepEqual(await taken(store, node), []);
    await store.discard({ eventId: 'e0' }, 1);
    assert.deepEqual(await taken(store, node), []);
    await store.discard({ eventId: 'e1' }, 1);
    assert.deepEqual(await taken(store, node), ['e2']);
  },

  'a letter that was skipped is redriven into a lane that has gone on, and runs when it is its turn': async ({
    store,
  }) => {
    const node = await lane(store, 5, SKIP);
    const [zero, one, two] = await run(store, node, ['e0', 'e1', 'e2'], 3);
    await store.settle(node, [settlement(zero, DEAD), settlement(one, DEAD)], T0);
    await store.redrive({}, 10, T0);
    // The third still runs.
    assert.deepEqual([await taken(store, node), await taken(store, node)], [[], []]);
    await settle(store, node, two, COMPLETED);
    assert.deepEqual(await taken(store, node), ['e0', 'e1', 'e3', 'e4']);
  },

  'a letter that was skipped, redriven while a later one runs, is claimed when that is given back': async ({
    store,
  }) => {
    const node = await lane(store, 3, SKIP);
    const [zero, one] = await run(store, node, ['e0', 'e1']);
    await settle(store, node, zero, DEAD);
    await store.redrive({}, 10, T0);
    assert.deepEqual(await taken(store, node), []);
    await settle(store, node, one, { outcome: 'snoozed', availableAt: T0 + 100 });
    assert.deepEqual(await taken(store, node), ['e0']);
  },

  'prune keeps a letter that blocks deliveries, and takes it when they are gone': async ({ store }) => {
    const node = await lane(store, ['a', 'a', 'b']);
    const [first, other] = await run(store, node, ['e0', 'e2']);
    await store.settle(node, [settlement(first, DEAD), settlement(other, DEAD)], T0);
    const late = { completedBefore: T0, deadBefore: T0 + HOUR, now: T0 + HOUR, limit: 100 };
    // The letter of lane b goes, and its event stays: it was received at T0.
    assert.equal(await store.prune(late), 1);
    assert.deepEqual(await states(store, 'e0'), ['ledger dead']);
    assert.deepEqual(await taken(store, node), []);
    assert.ok(await store.cancel((await only(store, 'e1')).id, T0));
    assert.equal(await store.prune(late), 1);
    assert.deepEqual(await states(store, 'e0'), []);
    await append(store, [keyed('e3')]);
    assert.deepEqual(await taken(store, node), ['e3']);
  },

  'prune takes old letters that block nothing, and the lane goes on': async ({ store }) => {
    const node = await lane(store, 2, SKIP);
    const [first] = await run(store, node, ['e0']);
    await settle(store, node, first, DEAD);
    assert.equal(await store.prune({ completedBefore: T0, deadBefore: T0 + 1, now: T0, limit: 9 }), 1);
    assert.deepEqual(await taken(store, node), ['e1']);
  },

  'a handler that is announced with `skip` is blocked no longer': async ({ store }) => {
    const node = await lane(store, 2);
    const [first] = await run(store, node, ['e0']);
    await settle(store, node, first, DEAD);
    assert.deepEqual(await taken(store, node), []);
    await join(store, [{ ...ORDERED, ...SKIP }], 'node-b');
    assert.deepEqual(await taken(store, node), ['e1']);
  },

  'a handler that is announced as not ordered has no lanes any more': async ({ store }) => {
    const node = await lane(store, ['a', 'a', 'b', 'b', 'b']);
    const [first, second] = await run(store, node, ['e0', 'e2']);
    await settle(store, node, first, DEAD);
    assert.deepEqual(await taken(store, node), []);
    const other = await join(store, [{ ...ORDERED, ordered: false }], 'node-b');
    const wants = [{ handler: 'ledger', limit: 9 }];
    const claimed = (await store.claim({ node: other, wants, limit: 9, suspect: true })) ?? [];
    assert.deepEqual(
      claimed.map((one) => [one.event.id, one.lane]),
      [
        ['e1', null],
        ['e3', null],
        ['e4', null],
      ],
    );
    assert.ok(await settle(store, node, second, COMPLETED));
  },
});
