import assert from 'node:assert/strict';
import type { ClaimedDelivery } from '../../store/records.js';
import { contractCases } from './contract-case.js';
import { keyed, lane, ORDERED, RELEASED, RETRY, run, take, taken } from './lane-scene.js';
import {
  append,
  appendRaw,
  COMPLETED,
  event,
  eventIds,
  handler,
  join,
  names,
  settle,
  settlement,
  states,
  T0,
} from './scene.js';

export const laneCases = contractCases('lanes', {
  'a run is claimed in publish order, and nothing more of its lane while any of it is leased': async ({
    store,
    another,
  }) => {
    const node = await lane(store, 5);
    const other = await join(store, [ORDERED], 'node-b');
    const [first, second] = await run(store, node, ['e0', 'e1']);
    assert.deepEqual([first.lane, first.claims], ['a', 1]);
    assert.deepEqual(await taken(await another(), other), []);
    assert.ok(await settle(store, node, first, COMPLETED));
    assert.deepEqual([await taken(store, node), await taken(store, other)], [[], []]);
    assert.ok(await settle(store, node, second, COMPLETED));
    assert.deepEqual(await taken(store, other), ['e2', 'e3', 'e4']);
  },

  'lanes run side by side; their heads come first, and runs grow by what is left': async ({ store }) => {
    const node = await lane(store, ['a', 'a', 'a', 'b', 'c', 'b', 'c']);
    assert.deepEqual(eventIds(await take(store, node, 2)), ['e0', 'e3']);
    const claimed = await run(store, node, ['e4', 'e6'], 2);
    assert.deepEqual(
      claimed.map((one) => one.lane),
      ['c', 'c'],
    );
  },

  'the limits of a handler and of a claim hold for runs': async ({ store }) => {
    const node = await lane(store, 9);
    const wants = [{ handler: 'ledger', limit: 2, ordered: true }];
    assert.deepEqual(eventIds((await store.claim({ node, wants, limit: 5, suspect: true })) ?? []), ['e0', 'e1']);
    await append(store, [keyed('b0', 'b'), keyed('b1', 'b')]);
    const more = [{ handler: 'ledger', limit: 5, ordered: true }];
    assert.deepEqual(eventIds((await store.claim({ node, wants: more, limit: 1, suspect: true })) ?? []), ['b0']);
  },

  'deliveries of one lane come one after the other, in its order, whatever their priorities': async ({ store }) => {
    const node = await join(store, [ORDERED]);
    const prior = (id: string, key: string, priority: number) =>
      event(id, [{ handler: 'ledger', priority, orderingKey: key }], { orderingKey: key });
    await append(store, [
      prior('a0', 'a', 90),
      prior('b0', 'b', 50),
      prior('a1', 'a', 10),
      prior('b1', 'b', 90),
      prior('a2', 'a', 50),
    ]);
    // The urgent one takes its lane ahead of the other lane, but comes when it is its turn.
    assert.deepEqual(await taken(store, node), ['a0', 'a1', 'a2', 'b0', 'b1']);
  },

  'a delivery without a key is in no lane, nor is one of a handler that is not ordered': async ({ store }) => {
    const node = await lane(store, [null, null, 'a', 'a']);
    await store.registerHandlers(node, [ORDERED, handler('mail')], T0);
    await append(store, [event('m0', ['mail'], { orderingKey: 'a' }), event('m1', ['mail'], { orderingKey: 'a' })]);
    const wants = [
      { handler: 'ledger', limit: 3, ordered: true },
      { handler: 'mail', limit: 9 },
    ];
    const claimed = (await store.claim({ node, wants, limit: 9, suspect: true })) ?? [];
    const lanes = new Map(claimed.map((one) => [one.event.id, one.lane]));
    assert.deepEqual(
      ['e0', 'e1', 'e2', 'm0', 'm1'].map((id) => lanes.get(id)),
      [null, null, 'a', null, null],
    );
    assert.equal(lanes.size, 5);
  },

  'two ordered handlers with one key do not wait for each other': async ({ store }) => {
    const node = await join(store, [ORDERED, { ...ORDERED, name: 'audit' }]);
    const both = (id: string) =>
      event(
        id,
        ['ledger', 'audit'].map((name) => ({ handler: name, priority: 50, orderingKey: 'a' })),
        { orderingKey: 'a' },
      );
    await append(store, [both('e0'), both('e1')]);
    await run(store, node, ['e0'], 1);
    const wants = [{ handler: 'audit', limit: 9, ordered: true }];
    assert.deepEqual(eventIds((await store.claim({ node, wants, limit: 9, suspect: true })) ?? []), ['e0', 'e1']);
  },

  'an ordered handler gives nothing to a want that does not say so, and others with it still come': async ({
    store,
  }) => {
    const node = await lane(store, 2);
    await store.registerHandlers(node, [ORDERED, handler('mail')], T0);
    await append(store, [event('m0', ['mail'])]);
    const claimWith = async (ordered: boolean) => {
      const wants = [
        { handler: 'ledger', limit: 9, ordered },
        { handler: 'mail', limit: 9, ordered },
      ];
      return eventIds((await store.claim({ node, wants, limit: 9, suspect: true })) ?? []);
    };
    assert.deepEqual(await claimWith(false), ['m0']);
    await append(store, [event('m1', ['mail'])]);
    assert.deepEqual((await claimWith(true)).toSorted(), ['e0', 'e1', 'm1']);
  },

  'the most urgent come first across ordered and other handlers, when the limit binds': async ({ store }) => {
    const node = await join(store, [ORDERED, handler('mail')]);
    const to = (name: string, priority: number, orderingKey: string | null) => [
      { handler: name, priority, orderingKey },
    ];
    await append(store, [
      event('late', to('ledger', 60, 'a'), { orderingKey: 'a' }),
      event('m0', to('mail', 40, null)),
      event('soon', to('ledger', 30, 'b'), { orderingKey: 'b' }),
      event('m1', to('mail', 20, null)),
    ]);
    const wants = [
      { handler: 'ledger', limit: 9, ordered: true },
      { handler: 'mail', limit: 9 },
    ];
    const claimed = await store.claim({ node, wants, limit: 3, suspect: true });
    assert.deepEqual(eventIds(claimed ?? []), ['m1', 'soon', 'm0']);
    assert.deepEqual(await taken(store, node), ['late']);
  },

  'a retry keeps its lane waiting; what was behind it in the run comes after it, with nothing charged': async ({
    store,
  }) => {
    const node = await lane(store, ['a', 'a', 'a', 'b']);
    const [first, second] = await run(store, node, ['e0', 'e1', 'e3'], 3);
    assert.deepEqual(await store.settle(node, [settlement(second, RELEASED), settlement(first, RETRY)], T0), [
      true,
      true,
    ]);
    assert.deepEqual(await taken(store, node), []);
    assert.deepEqual(await store.stage(RETRY.availableAt, 10), { staged: 1, nextDueAt: null });
    const again = await run(store, node, ['e0', 'e1', 'e2']);
    assert.deepEqual(
      again.map(({ attempts, crashes, claims }) => [attempts, crashes, claims]),
      [
        [1, 0, 2],
        [0, 0, 2],
        [0, 0, 1],
      ],
    );
  },

  'a snoozed delivery keeps its lane waiting': async ({ store }) => {
    const node = await lane(store, 2);
    const [first] = await run(store, node, ['e0']);
    await settle(store, node, first, { outcome: 'snoozed', availableAt: T0 + 50 });
    assert.deepEqual(await taken(store, node), []);
    await store.stage(T0 + 50, 10);
    assert.deepEqual(await taken(store, node), ['e0', 'e1']);
  },

  'what is given back in the middle of a run keeps its place': async ({ store }) => {
    const node = await lane(store, 4);
    const claimed = await run(store, node, ['e0', 'e1', 'e2']);
    // The last first: nothing of it may come while the first is leased.
    for (const one of [claimed[2], claimed[1]] as ClaimedDelivery[]) {
      assert.ok(await settle(store, node, one, RELEASED));
      assert.deepEqual(await taken(store, node), []);
    }
    assert.ok(await settle(store, node, claimed[0], COMPLETED));
    assert.deepEqual(await taken(store, node), ['e1', 'e2', 'e3']);
  },

  'a run settled in any order, by two at once, lets the lane go on': async ({ store, another }) => {
    const node = await lane(store, 41);
    const other = await another();
    for (let done = 0; done < 40; done += 4) {
      const claimed = await run(store, node, names('e', done + 4).slice(done));
      assert.deepEqual(await taken(other, node), []);
      const [one, two] = [claimed.slice(0, 2), claimed.slice(2)].map((part) =>
        part.map((of) => settlement(of, COMPLETED)),
      );
      const written = await Promise.all([store.settle(node, one, T0), other.settle(node, two, T0)]);
      assert.deepEqual(written.flat(), [true, true, true, true]);
    }
    assert.deepEqual(await taken(store, node), ['e40']);
  },

  'a delayed event keeps those behind it waiting until it is due': async ({ store }) => {
    const node = await join(store, [ORDERED]);
    await append(store, [keyed('e0', 'a', { availableAt: T0 + 100 }), keyed('e1'), keyed('b0', 'b'), keyed('e2')]);
    assert.deepEqual(await taken(store, node), ['b0']);
    await store.stage(T0 + 100, 10);
    assert.deepEqual(await taken(store, node), ['e0', 'e1', 'e2']);
  },

  'a run ends before a delayed event': async ({ store }) => {
    const node = await join(store, [ORDERED]);
    await append(store, [keyed('e0'), keyed('e1', 'a', { availableAt: T0 + 100 }), keyed('e2')]);
    const [first] = await run(store, node, ['e0'], 9);
    await settle(store, node, first, COMPLETED);
    assert.deepEqual(await taken(store, node), []);
    await store.stage(T0 + 100, 10);
    assert.deepEqual(await taken(store, node), ['e1', 'e2']);
  },

  'a raw event of the key keeps those behind it waiting until it is fanned out': async ({ store }) => {
    const node = await lane(store, 1);
    await appendRaw(store, [keyed('raw'), keyed('other', 'c')]);
    await append(store, [keyed('e1'), keyed('b0', 'b')]);
    const [first] = await run(store, node, ['e0', 'b0'], 9);
    await settle(store, node, first, COMPLETED);
    assert.deepEqual(await taken(store, node), []);
    const { version: registryVersion } = await store.loadRegistry();
    const match = () => [{ handler: 'ledger', priority: 50, orderingKey: 'a' }];
    await store.fanOut({ limit: 1, registryVersion, now: T0, match });
    assert.deepEqual(await taken(store, node), ['raw', 'e1']);
    assert.deepEqual(await states(store, 'other'), []);
  },

  'thousands that wait for their lane keep nobody else waiting': async ({ store }) => {
    const node = await lane(store, 1_500);
    const [first] = await run(store, node, ['e0']);
    await append(store, [keyed('b0', 'b')]);
    assert.deepEqual(await taken(store, node, 1), ['b0']);
    await settle(store, node, first, RETRY);
    await append(store, [keyed('c0', 'c')]);
    assert.deepEqual(await taken(store, node, 1), ['c0']);
    await store.stage(RETRY.availableAt, 10);
    const claimed = await run(store, node, names('e', 100));
    await store.settle(
      node,
      claimed.map((one) => settlement(one, COMPLETED)),
      T0,
    );
    assert.deepEqual(await taken(store, node, 1), ['e100']);
  },

  'many lanes are all claimed, by nodes that claim at once, each in its order': async ({ store, another }) => {
    const keys = Array.from({ length: 600 }, (_, index) => `k${index % 60}`);
    const nodes = [
      await lane(store, keys),
      await join(store, [ORDERED], 'node-b'),
      await join(store, [ORDERED], 'node-c'),
    ];
    const stores = [store, await another(), await another()];
    const seen = new Map<string, number[]>();
    const running = new Map<string, number>();
    const work = async (at: number) => {
      for (let idle = 0; idle < 20;) {
        const claimed = await take(stores[at], nodes[at], 25);
        idle = claimed.length === 0 ? idle + 1 : 0;
        for (const { lane: key, event: of } of claimed) {
          assert.ok(key !== null && (running.get(key) ?? at) === at, `two nodes have lane ${key}`);
          running.set(key, at);
          seen.set(key, [...(seen.get(key) ?? []), of.seq]);
        }
        // Every chance for another to claim what it must not.
        await new Promise((resolve) => setImmediate(resolve));
        for (const { lane: key } of claimed) running.delete(key ?? '');
        const settlements = claimed.map((one) => settlement(one, COMPLETED));
        assert.ok((await stores[at].settle(nodes[at], settlements, T0)).every(Boolean));
      }
    };
    await Promise.all([work(0), work(1), work(2)]);
    assert.deepEqual([seen.size, [...seen.values()].flat().length], [60, 600]);
    for (const seqs of seen.values())
      assert.deepEqual(
        seqs,
        seqs.toSorted((a, b) => a - b),
      );
  },
});
