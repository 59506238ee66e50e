import assert from 'node:assert/strict';
import type { EventStore } from '../../store/event-store.js';
import type { HandlerRegistration } from '../../store/records.js';
import { contractCases } from './contract-case.js';
import { append, event, handler, join, states, T0 } from './scene.js';

/** `handler: its patterns`, both sorted, of the handlers that have any. */
async function subscriptions(store: EventStore): Promise<string[]> {
  const { handlers } = await store.loadRegistry();
  return handlers
    .filter((one) => one.patterns.length > 0)
    .map((one) => `${one.name}: ${one.patterns.toSorted().join(' ')}`)
    .toSorted();
}

async function version(store: EventStore): Promise<number> {
  return (await store.loadRegistry()).version;
}

const mail = (...patterns: string[]): HandlerRegistration => handler('mail', { patterns });

export const registryCases = contractCases('registry', {
  'begins empty': async ({ store }) => {
    const { version, handlers } = await store.loadRegistry();
    assert.ok(Number.isSafeInteger(version), `${version}`);
    assert.deepEqual(handlers, []);
  },

  'keeps handlers as they were announced': async ({ store, another }) => {
    const before = await version(store);
    await join(store, [
      handler('mail', { priority: 10, patterns: ['order.*', '**'] }),
      handler('ledger', { ordered: true, onDeadLetter: 'skip', patterns: ['payment.processed'] }),
    ]);
    const other = await another();
    const snapshot = await other.loadRegistry();
    assert.deepEqual(
      snapshot.handlers
        .map((one) => ({ ...one, patterns: one.patterns.toSorted() }))
        .toSorted((a, b) => a.priority - b.priority),
      [
        { name: 'mail', priority: 10, ordered: false, paused: false, patterns: ['**', 'order.*'] },
        { name: 'ledger', priority: 50, ordered: true, paused: false, patterns: ['payment.processed'] },
      ],
    );
    assert.ok(snapshot.version > before, 'the version is raised');
  },

  'the version stays when nothing changes, whoever announces it': async ({ store }) => {
    const node = await join(store, [mail('order.*'), handler('ledger')]);
    const before = await version(store);
    await store.registerHandlers(node, [handler('ledger'), mail('order.*')], T0 + 1);
    await store.registerHandlers(node, [mail('order.*'), handler('ledger')], T0 + 2);
    await join(store, [mail('order.*'), handler('ledger')], 'node-b');
    assert.equal(await version(store), before);
  },

  'the version is raised by each change of a pattern, of a priority, of ordering, and by a new handler': async ({
    store,
  }) => {
    const node = await join(store, [mail('a')]);
    const changes: HandlerRegistration[][] = [
      [mail('b')],
      [mail('b', 'c')],
      [handler('mail', { patterns: ['b', 'c'], priority: 7 })],
      [handler('mail', { patterns: ['b', 'c'], priority: 7, ordered: true })],
      [handler('mail', { patterns: ['b', 'c'], priority: 7, ordered: true }), handler('ledger')],
    ];
    let before = await version(store);
    for (const [index, handlers] of changes.entries()) {
      await store.registerHandlers(node, handlers, T0);
      const after = await version(store);
      assert.ok(after > before, `change ${index}`);
      before = after;
    }
    const { handlers } = await store.loadRegistry();
    const { name, priority, ordered } = handlers.find((one) => one.name === 'mail') ?? assert.fail('mail is missing');
    assert.deepEqual({ name, priority, ordered }, { name: 'mail', priority: 7, ordered: true });
  },

  "a handler's patterns are the union over the nodes that have it": async ({ store }) => {
    const a = await join(store, [mail('a', 'both')]);
    const b = await join(store, [mail('b', 'both')], 'node-b');
    assert.deepEqual(await subscriptions(store), ['mail: a b both']);
    await store.registerHandlers(a, [mail('a2')], T0);
    assert.deepEqual(await subscriptions(store), ['mail: a2 b both']);
    const before = await version(store);
    await store.removeNode(b, T0);
    assert.deepEqual(await subscriptions(store), ['mail: a2']);
    assert.ok((await version(store)) > before, 'the version is raised when a pattern goes with its node');
  },

  'a subscription outlives the last node that had it': async ({ store }) => {
    const a = await join(store, [mail('a'), handler('ledger', { patterns: ['l'] })]);
    await join(store, [handler('ledger', { patterns: ['l2'] })], 'node-b');
    await store.removeNode(a, T0);
    assert.deepEqual(await subscriptions(store), ['ledger: l2', 'mail: a']);
    assert.deepEqual((await append(store, [event('e1', ['mail'])])).fannedOut, true);
    assert.deepEqual(await states(store, 'e1'), ['mail pending']);
  },

  'what a gone node left is dropped when a live one announces the handler': async ({ store }) => {
    const a = await join(store, [mail('old'), handler('ledger', { patterns: ['l'] })]);
    await store.removeNode(a, T0);
    const before = await version(store);
    await join(store, [mail('new')], 'node-b');
    assert.deepEqual(await subscriptions(store), ['ledger: l', 'mail: new']);
    assert.ok((await version(store)) > before);
  },

  'a restart with the same handlers changes nothing': async ({ store }) => {
    const a = await join(store, [mail('order.*')]);
    const before = await version(store);
    await store.removeNode(a, T0);
    await join(store, [mail('order.*')], 'node-a again');
    assert.deepEqual(await subscriptions(store), ['mail: order.*']);
    assert.equal(await version(store), before);
  },

  'a node without handlers changes nothing': async ({ store }) => {
    await join(store, [mail('a')]);
    const before = await version(store);
    const publisher = await join(store, [], 'publisher');
    await store.removeNode(publisher, T0);
    assert.deepEqual([await subscriptions(store), await version(store)], [['mail: a'], before]);
  },

  'nodes that announce at once all come to be seen': async ({ store, another }) => {
    const other = await another();
    const before = await version(store);
    await Promise.all(
      [0, 1, 2, 3, 4, 5].map((index) => {
        const handlers = [mail(`m${index}`), handler(`own${index}`, { patterns: ['x'] })];
        return join(
          index % 2 === 0 ? store : other,
          index % 3 === 0 ? handlers : handlers.toReversed(),
          `node-${index}`,
        );
      }),
    );
    assert.deepEqual(await subscriptions(store), [
      'mail: m0 m1 m2 m3 m4 m5',
      ...[0, 1, 2, 3, 4, 5].map((index) => `own${index}: x`),
    ]);
    assert.ok((await version(store)) > before);
  },

  'events appended while handlers are announced reach them at the append or by a later fan-out': async ({
    store,
    another,
  }) => {
    await join(store, [mail('order.*')]);
    const other = await another();
    const { version: known } = await store.loadRegistry();
    const of = (id: string) => ({ events: [event(id, ['mail'])], registryVersion: known, now: T0 });
    const [, ...appended] = await Promise.all([
      join(other, [handler('ledger')], 'node-b'),
      ...Array.from({ length: 20 }, (_, index) => store.append(of(`e${index}`))),
    ]);
    for (const [index, { fannedOut }] of appended.entries()) {
      assert.deepEqual(await states(store, `e${index}`), fannedOut ? ['mail pending'] : []);
    }
    assert.equal((await store.append(of('late'))).fannedOut, false);
  },
});
