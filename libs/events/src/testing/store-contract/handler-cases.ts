import assert from 'node:assert/strict';
import type { EventStore } from '../../store/event-store.js';
import type { HandlerRecord } from '../../store/handler.store.js';
import { contractCases } from './contract-case.js';
import { append, claim, COMPLETED, event, eventIds, handler, HOUR, join, leased, settle, states, T0 } from './scene.js';

async function listed(store: EventStore, name = 'mail'): Promise<HandlerRecord> {
  const handlers = await store.listHandlers();
  return handlers.find((one) => one.name === name) ?? assert.fail(`${name} is not listed`);
}

export const handlerCases = contractCases('handlers', {
  'there are none at first': async ({ store }) => {
    assert.deepEqual([await store.handlerStates(), await store.listHandlers()], [[], []]);
  },

  'states come by name, and every store tells the same': async ({ store, another }) => {
    await join(store, ['mail', 'audit', handler('ledger', { ordered: true })]);
    await store.setPaused('ledger', true);
    const found = await (await another()).handlerStates();
    const circuit = { state: 'closed', epoch: found[0]?.circuit.epoch, openedAt: null, successes: 0 };
    assert.deepEqual(found, [
      { name: 'audit', paused: false, ordered: false, circuit },
      { name: 'ledger', paused: true, ordered: true, circuit },
      { name: 'mail', paused: false, ordered: false, circuit },
    ]);
  },

  'are listed with what operators want to know': async ({ store }) => {
    const a = await join(store, [handler('mail', { patterns: ['b', 'a'] }), handler('audit', { priority: 9 })]);
    const b = await store.registerNode({ label: 'node-b', host: 'host-b', pid: 1 }, T0);
    const mail = handler('mail', { patterns: ['c', 'a'], priority: 7, ordered: true });
    await store.registerHandlers(b, [mail], T0 + HOUR);
    const { circuit } = await listed(store);
    const common = { paused: false, circuit, firstSeen: T0, retiredAt: null };
    const [nodeA, nodeB] = [
      { id: a, label: 'node-a' },
      { id: b, label: 'node-b' },
    ];
    assert.deepEqual(await store.listHandlers(), [
      { ...common, name: 'audit', priority: 9, ordered: false, patterns: ['order.*'], nodes: [nodeA], lastSeen: T0 },
      {
        ...common,
        name: 'mail',
        priority: 7,
        ordered: true,
        patterns: ['a', 'b', 'c'],
        nodes: [nodeA, nodeB],
        lastSeen: T0 + HOUR,
      },
    ]);
  },

  'are listed without nodes once the last is gone, and keep its patterns': async ({ store }) => {
    const node = await join(store);
    const before = await listed(store);
    await store.removeNode(node, T0 + 1);
    assert.deepEqual(await listed(store), { ...before, nodes: [] });
  },

  'announced anew, keep their pause, their circuit and when they were first seen': async ({ store }) => {
    const node = await join(store);
    await store.setPaused('mail', true);
    await store.changeCircuit('mail', (await listed(store)).circuit.epoch, 'open', T0 + 5);
    const before = await listed(store);
    await store.registerHandlers(node, [handler('mail')], T0 + HOUR);
    assert.deepEqual(await listed(store), { ...before, lastSeen: T0 + HOUR });
    assert.deepEqual([before.paused, before.circuit.state, before.circuit.openedAt], [true, 'open', T0 + 5]);
  },

  'a paused one is claimed by nobody until it is let go again': async ({ store, another }) => {
    const node = await join(store, ['mail', 'ledger']);
    const other = await another();
    await append(store, [event('e1', ['mail', 'ledger'])]);
    assert.equal(await store.setPaused('mail', true), true);
    assert.deepEqual(
      (await claim(other, node, 10, ['mail', 'ledger'])).map((one) => one.handler),
      ['ledger'],
    );
    assert.deepEqual(
      [await claim(store, node), await states(store, 'e1')],
      [[], ['mail pending', 'ledger processing']],
    );
    assert.equal(await other.setPaused('mail', false), true);
    assert.deepEqual(eventIds(await claim(store, node)), ['e1']);
  },

  'what was leased before a pause is settled as ever': async ({ store }) => {
    const { node, delivery } = await leased(store);
    await store.setPaused('mail', true);
    assert.deepEqual(await store.lostLeases(node, [delivery]), []);
    assert.equal(await settle(store, node, delivery, COMPLETED), true);
  },

  'the registry tells which are paused': async ({ store }) => {
    await join(store, ['mail', 'ledger']);
    await store.setPaused('mail', true);
    const { handlers } = await store.loadRegistry();
    assert.deepEqual(handlers.map((one) => `${one.name}: ${one.paused}`).toSorted(), ['ledger: false', 'mail: true']);
  },

  'one that is not there cannot be paused': async ({ store }) => {
    await join(store);
    assert.deepEqual([await store.setPaused('nobody', true), await store.setPaused('nobody', false)], [false, false]);
    assert.deepEqual(
      (await store.listHandlers()).map((one) => [one.name, one.paused]),
      [['mail', false]],
    );
  },

  'a touch remembers when live nodes had theirs, and is never taken back': async ({ store }) => {
    const gone = await join(store, ['mail', 'ledger']);
    await join(store, ['ledger'], 'node-b');
    await store.removeNode(gone, T0);
    const lastSeen = async () => (await store.listHandlers()).map((one) => [one.name, one.lastSeen]);
    await store.touchHandlers(T0 + HOUR);
    const touched = [
      ['ledger', T0 + HOUR],
      ['mail', T0],
    ];
    assert.deepEqual(await lastSeen(), touched);
    await store.touchHandlers(T0 + 1);
    assert.deepEqual(await lastSeen(), touched);
  },
});
