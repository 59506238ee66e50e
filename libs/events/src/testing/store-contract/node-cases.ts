import assert from 'node:assert/strict';
import type { EventStore } from '../../store/event-store.js';
import { contractCases } from './contract-case.js';
import {
  append,
  claim,
  claimOne,
  COMPLETED,
  event,
  failure,
  join,
  leased,
  names,
  only,
  settle,
  states,
  T0,
} from './scene.js';

async function beatOf(store: EventStore, node: number): Promise<number | undefined> {
  return (await store.nodes()).find((one) => one.id === node)?.beat;
}

export const nodeCases = contractCases('nodes', {
  'keeps who a node is': async ({ store, another }) => {
    const id = await store.registerNode({ label: `api "1"; -- ü`, host: 'host-a', pid: 4711 }, T0 + 2);
    assert.ok(Number.isSafeInteger(id) && id > 0);
    const other = await another();
    const records = await other.nodes();
    assert.deepEqual(
      records.map(({ beat: _beat, ...record }) => record),
      [{ id, label: `api "1"; -- ü`, host: 'host-a', pid: 4711, startedAt: T0 + 2 }],
    );
  },

  'never gives an id again, also not that of a node that is gone': async ({ store }) => {
    const seen = new Set<number>();
    for (let round = 0; round < 5; round++) {
      const node = await store.registerNode({ label: 'same', host: 'same', pid: 1 }, T0);
      assert.ok(!seen.has(node), `node id ${node} came twice`);
      seen.add(node);
      assert.equal(await store.removeNode(node, T0), true);
    }
    assert.deepEqual(await store.nodes(), []);
  },

  'each beat raises the counter of its node by one': async ({ store }) => {
    const [a, b] = [await join(store), await join(store, ['mail'], 'node-b')];
    const [startA, startB] = [(await beatOf(store, a)) as number, (await beatOf(store, b)) as number];
    assert.deepEqual([await store.beat(a), await store.beat(a)], [true, true]);
    assert.deepEqual([await beatOf(store, a), await beatOf(store, b)], [startA + 2, startB]);
  },

  'tells a node that it is gone by its beat': async ({ store }) => {
    const node = await join(store);
    await store.removeNode(node, T0);
    assert.deepEqual([await store.beat(node), await store.beat(node + 1_000)], [false, false]);
    assert.deepEqual(await store.nodes(), []);
  },

  'a removal that is fenced by a beat does nothing once the node has beaten': async ({ store }) => {
    const { node, delivery } = await leased(store);
    const seen = (await beatOf(store, node)) as number;
    await store.beat(node);
    assert.equal(await store.removeNode(node, T0, seen), false);
    assert.deepEqual(await states(store, 'e1'), ['mail processing']);
    assert.equal((await store.nodes()).length, 1);
    assert.deepEqual(await store.lostLeases(node, [delivery]), []);
    assert.equal(await store.removeNode(node, T0, seen + 1), true);
    assert.deepEqual([await store.nodes(), await states(store, 'e1')], [[], ['mail pending']]);
  },

  'removing a node that is not there answers false': async ({ store }) => {
    const node = await join(store);
    assert.deepEqual([await store.removeNode(node + 1_000, T0), await store.removeNode(node, T0)], [false, true]);
    assert.equal(await store.removeNode(node, T0), false);
  },

  'a removed node gives its deliveries back, each charged with the crash': async ({ store }) => {
    const node = await join(store);
    const crashing = await join(store, ['mail'], 'node-b');
    await append(store, [event('e1', ['mail'])]);
    const first = await claimOne(store, crashing);
    await settle(store, crashing, first, { outcome: 'retry', availableAt: T0 + 1, failure: failure(1) });
    await store.stage(T0 + 1, 1);
    await claimOne(store, crashing);
    assert.equal(await store.removeNode(crashing, T0 + 60), true);

    const record = await only(store, 'e1');
    assert.deepEqual([record.state, record.attempts, record.availableAt], ['pending', 2, null]);
    const { message, ...crash } = record.failures[1] ?? assert.fail('no failure tells of the crash');
    assert.deepEqual(record.failures[0], failure(1));
    assert.deepEqual(crash, { at: T0 + 60, attempt: 2, name: 'node-lost', node: 'node-b' });
    assert.ok(message.length > 0);
    const again = await claimOne(store, node);
    assert.deepEqual([again.attempts, again.crashes, again.claims], [1, 1, 3]);
  },

  'every crash is charged': async ({ store }) => {
    await join(store);
    await append(store, [event('e1', ['mail'])]);
    for (let crash = 1; crash <= 3; crash++) {
      const node = await join(store, ['mail'], `node-${crash}`);
      assert.equal((await claimOne(store, node)).crashes, crash - 1);
      await store.removeNode(node, T0 + crash);
    }
    const { attempts, failures } = await only(store, 'e1');
    assert.deepEqual(
      [attempts, failures.map((one) => [one.attempt, one.name, one.node])],
      [3, [1, 2, 3].map((crash) => [crash, 'node-lost', `node-${crash}`])],
    );
  },

  'deliveries of other nodes, and those that wait, are charged nothing': async ({ store }) => {
    const [a, b] = [await join(store), await join(store, ['mail'], 'node-b')];
    await append(store, [event('of a', ['mail']), event('of b', ['mail']), event('done', ['mail'])]);
    const ofA = await claimOne(store, a);
    await claimOne(store, b);
    await settle(store, b, await claimOne(store, b), COMPLETED);
    await append(store, [event('waits', ['mail']), event('later', ['mail'], { availableAt: T0 + 1 })]);
    await store.removeNode(b, T0);
    const found = await Promise.all(
      ['of a', 'of b', 'done', 'waits', 'later'].map(async (id) => {
        const { state, attempts } = await only(store, id);
        return `${id} ${state} ${attempts}`;
      }),
    );
    const expected = [
      'of a processing 0',
      'of b pending 1',
      'done completed 1',
      'waits pending 0',
      'later scheduled 0',
    ];
    assert.deepEqual(found, expected);
    assert.equal(await settle(store, a, ofA, COMPLETED), true);
  },

  'a late settlement of a removed node is refused': async ({ store }) => {
    const { node, delivery } = await leased(store);
    await store.removeNode(node, T0);
    assert.equal(await settle(store, node, delivery, COMPLETED), false);
    assert.deepEqual(await states(store, 'e1'), ['mail pending']);
  },

  'of two that remove one node at once, one does, and the crash is charged once': async ({ store, another }) => {
    const { node } = await leased(store);
    const other = await another();
    const beat = await beatOf(store, node);
    const answers = await Promise.all([store, other].map((one) => one.removeNode(node, T0, beat)));
    assert.equal(answers.filter(Boolean).length, 1);
    assert.equal((await only(store, 'e1')).attempts, 1);
  },

  'a removal and settles at once: each delivery is settled or rescued, none both': async ({ store, another }) => {
    const node = await join(store);
    const other = await another();
    const ids = names('e', 50);
    await append(
      store,
      ids.map((id) => event(id, ['mail'])),
    );
    const claimed = await claim(store, node, 50);
    const settling = claimed.map((delivery) => settle(store, node, delivery, COMPLETED));
    const [removed, ...settled] = await Promise.all([other.removeNode(node, T0), ...settling]);
    assert.equal(removed, true);
    for (const [index, id] of ids.entries()) {
      assert.deepEqual(await states(store, id), [settled[index] ? 'mail completed' : 'mail pending']);
    }
  },
});

export const orphanCases = contractCases('orphans', {
  'leases of nodes that are not registered end as if the node had been removed': async ({ store, forgetNode }) => {
    const { node, delivery } = await leased(store);
    const living = await join(store, ['mail'], 'node-b');
    await append(store, [event('held', ['mail'])]);
    const held = await claimOne(store, living);
    assert.equal(await store.rescueOrphans(T0), 0);
    await forgetNode(node);

    assert.equal(await store.rescueOrphans(T0 + 60), 1);
    assert.equal(await store.rescueOrphans(T0 + 61), 0);
    const { state, attempts, failures } = await only(store, 'e1');
    assert.deepEqual([state, attempts], ['pending', 1]);
    assert.deepEqual(
      failures.map((one) => [one.at, one.attempt, one.name]),
      [[T0 + 60, 1, 'node-lost']],
    );
    assert.equal(await settle(store, node, delivery, COMPLETED), false);
    assert.equal(await settle(store, living, held, COMPLETED), true);
    assert.equal((await claimOne(store, living)).crashes, 1);
  },

  'there are none where nothing is leased': async ({ store }) => {
    await join(store);
    await append(store, [event('e1', ['mail']), event('e2', ['mail'], { availableAt: T0 + 1 })]);
    assert.equal(await store.rescueOrphans(T0), 0);
    assert.equal((await only(store, 'e1')).attempts, 0);
  },
});
