import assert from 'node:assert/strict';
import type { EventStore } from '../../store/event-store.js';
import { contractCases } from './contract-case.js';
import {
  append,
  claim,
  claimOne,
  COMPLETED,
  event,
  eventIds,
  failure,
  handler,
  HOUR,
  join,
  leased,
  names,
  only,
  settle,
  states,
  T0,
} from './scene.js';

async function retiredAt(store: EventStore, name = 'mail'): Promise<number | null | undefined> {
  return (await store.listHandlers()).find((one) => one.name === name)?.retiredAt;
}

export const retireCases = contractCases('retirement', {
  'a retired handler gets nothing new, and the version is raised': async ({ store, another }) => {
    await join(store, ['mail', 'ledger']);
    const other = await another();
    const { version } = await store.loadRegistry();
    assert.equal(await other.retire('mail', T0 + 7), true);
    const registry = await store.loadRegistry();
    assert.deepEqual([registry.version > version, registry.handlers.map((one) => one.name)], [true, ['ledger']]);
    assert.deepEqual(
      (await store.handlerStates()).map((one) => one.name),
      ['ledger'],
    );
    assert.deepEqual([await retiredAt(store), await retiredAt(store, 'ledger')], [T0 + 7, null]);
    const stale = { events: [event('e1', ['mail', 'ledger'])], registryVersion: version, now: T0 };
    assert.deepEqual(await store.append(stale), { stored: [true], fannedOut: false });
  },

  'a retired handler is not claimed, what it runs is settled as ever': async ({ store }) => {
    const { node, delivery } = await leased(store);
    await append(store, [event('e2', ['mail'])]);
    await store.retire('mail', T0);
    assert.deepEqual(await claim(store, node), []);
    assert.equal(await settle(store, node, delivery, COMPLETED), true);
    assert.deepEqual([await states(store, 'e1'), await states(store, 'e2')], [['mail completed'], ['mail pending']]);
  },

  'one that is not there or retired already cannot be retired': async ({ store }) => {
    await join(store);
    assert.equal(await store.retire('nobody', T0), false);
    assert.equal(await store.retire('mail', T0), true);
    const { version } = await store.loadRegistry();
    assert.equal(await store.retire('mail', T0 + HOUR), false);
    assert.deepEqual([await retiredAt(store), (await store.loadRegistry()).version], [T0, version]);
  },

  'announcing it brings it back': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('e1', ['mail'])]);
    await store.retire('mail', T0);
    const { version } = await store.loadRegistry();
    await store.registerHandlers(node, [handler('mail', { patterns: ['new'] })], T0 + 1);
    const registry = await store.loadRegistry();
    assert.ok(registry.version > version, 'the version is raised');
    assert.deepEqual(registry.handlers, [
      { name: 'mail', priority: 50, ordered: false, paused: false, patterns: ['new'] },
    ]);
    assert.equal(await retiredAt(store), null);
    assert.deepEqual(eventIds(await claim(store, node)), ['e1']);
  },

  'handlers that no live node has retire when they were last seen before the moment': async ({ store }) => {
    const gone = await join(store, ['a', 'b', 'kept']);
    await join(store, ['kept'], 'node-b');
    const late = await store.registerNode({ label: 'node-c', host: 'host-c', pid: 1 }, T0);
    await store.registerHandlers(late, [handler('later')], T0 + HOUR);
    await store.removeNode(gone, T0 + HOUR);
    await store.removeNode(late, T0 + HOUR);
    assert.deepEqual(await store.retireAbsent(T0, T0 + 2 * HOUR), []);
    const { version } = await store.loadRegistry();
    assert.deepEqual((await store.retireAbsent(T0 + HOUR, T0 + 2 * HOUR)).toSorted(), ['a', 'b']);
    const registry = await store.loadRegistry();
    assert.ok(registry.version > version, 'the version is raised');
    assert.deepEqual(registry.handlers.map((one) => one.name).toSorted(), ['kept', 'later']);
    assert.deepEqual(await retiredAt(store, 'a'), T0 + 2 * HOUR);
    assert.deepEqual(await store.retireAbsent(T0 + HOUR, T0 + 3 * HOUR), [], 'they are retired once');
    assert.deepEqual(await retiredAt(store, 'a'), T0 + 2 * HOUR);
    assert.equal((await store.loadRegistry()).version, registry.version);
  },

  'what waits for a retired handler becomes dead letters, expired, the oldest first': async ({ store }) => {
    const node = await join(store, ['mail', 'ledger']);
    await append(store, [event('failed', ['mail'])]);
    const retry = { outcome: 'retry', availableAt: T0 + HOUR, failure: failure(1) } as const;
    await settle(store, node, await claimOne(store, node), retry);
    await append(
      store,
      names('e', 3).map((id) => event(id, ['mail', 'ledger'])),
    );
    await append(store, [event('late', ['mail'], { availableAt: T0 + HOUR })]);
    assert.equal(await store.expireRetired(T0, 10), 0, 'nobody is retired');
    await store.retire('mail', T0);

    assert.equal(await store.expireRetired(T0 + 5, 2), 2);
    const letters = await store.listDeadLetters({}, 10);
    assert.deepEqual(
      letters.map(({ event: of, reason, handler: by, attempts, diedAt, failures }) => [
        [of.id, reason, by, attempts, diedAt],
        failures,
      ]),
      [
        [['e0', 'expired', 'mail', 0, T0 + 5], []],
        [['failed', 'expired', 'mail', 1, T0 + 5], [failure(1)]],
      ],
    );
    assert.equal(await store.expireRetired(T0 + 6, 10), 3);
    assert.equal(await store.expireRetired(T0 + 7, 10), 0);
    assert.deepEqual((await Promise.all(['failed', 'e0', 'e1', 'e2', 'late'].map((id) => states(store, id)))).flat(), [
      'mail dead',
      ...names('e', 3).flatMap(() => ['mail dead', 'ledger pending']),
      'mail dead',
    ]);
    assert.deepEqual(await store.stage(T0 + HOUR, 10), { staged: 0, nextDueAt: null });
  },

  'what a retired handler still runs expires when it has been given back': async ({ store }) => {
    const { node, delivery } = await leased(store);
    await store.retire('mail', T0);
    assert.equal(await store.expireRetired(T0, 10), 0);
    assert.deepEqual(await states(store, 'e1'), ['mail processing']);
    await settle(store, node, delivery, { outcome: 'released' });
    assert.equal(await store.expireRetired(T0 + 1, 10), 1);
    assert.deepEqual(
      [(await only(store, 'e1')).reason, await settle(store, node, delivery, COMPLETED)],
      ['expired', false],
    );
  },
});
