import assert from 'node:assert/strict';
import type { EventStore } from '../../store/event-store.js';
import { contractCases } from './contract-case.js';
import {
  append,
  claim,
  claimOne,
  COMPLETED,
  DEAD,
  event,
  eventIds,
  handler,
  join,
  only,
  settle,
  settlement,
  states,
  T0,
} from './scene.js';

const ADOPTER = handler('post', { aliases: ['mail'] });

/** What becomes of a key when another delivery of the handler asks for it. */
async function keyState(store: EventStore, name: string, key: string): Promise<string | undefined> {
  const [answer] = await store.claimKeys([{ handler: name, key, owner: 999_999, expiresAt: T0 + 1 }], T0);
  return answer?.state;
}

export const adoptCases = contractCases('adoption', {
  "an alias retires, and all it has that is not history is the new handler's": async ({ store, another }) => {
    const node = await join(store);
    await append(store, [event('dead', ['mail']), event('running', ['mail'])]);
    await settle(store, node, await claimOne(store, node), DEAD);
    const running = await claimOne(store, node);
    await append(store, [event('waiting', ['mail']), event('late', ['mail'], { availableAt: T0 + 1 })]);
    const { version } = await store.loadRegistry();

    const other = await another();
    const next = await join(other, [ADOPTER], 'node-b');
    const registry = await store.loadRegistry();
    assert.ok(registry.version > version, 'the version is raised');
    assert.deepEqual(
      registry.handlers.map((one) => one.name),
      ['post'],
    );
    assert.deepEqual(
      (await store.listHandlers()).map((one) => [one.name, one.retiredAt]),
      [
        ['mail', T0],
        ['post', null],
      ],
    );
    const found = await Promise.all(['dead', 'running', 'waiting', 'late'].map((id) => states(store, id)));
    assert.deepEqual(found.flat(), ['post dead', 'post processing', 'post pending', 'post scheduled']);
    assert.equal(await settle(store, node, running, COMPLETED), true, 'the lease from before still holds');
    assert.equal((await only(store, 'running')).state, 'completed');
    await store.stage(T0 + 1, 10);
    assert.deepEqual(await claim(store, next), [], 'there is nothing left of the alias');
    assert.deepEqual(eventIds(await claim(store, next, 10, ['post'])), ['waiting', 'late']);
    const letters = await store.listDeadLetters({ handler: 'post' }, 10);
    assert.deepEqual(await store.redrive({ handler: 'post' }, 10, T0), [letters[0]?.id]);
    assert.deepEqual(eventIds(await claim(store, next, 10, ['post'])), ['dead']);
  },

  'idempotency keys come along, and a run that is under way ends its own': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('e1', ['mail']), event('e2', ['mail'])]);
    const [done, running] = await claim(store, node);
    assert.ok(done && running);
    const key = (name: string) => ({ key: { key: name, expiresAt: T0 + 500 } });
    const of = (owner: number, name: string) => ({ handler: 'mail', key: name, owner, expiresAt: T0 + 100 });
    await store.claimKeys([of(done.id, 'k1'), of(running.id, 'k2')], T0);
    await store.settle(node, [{ ...settlement(done, COMPLETED), ...key('k1') }], T0);
    await join(store, [ADOPTER], 'node-b');
    assert.deepEqual(
      [await keyState(store, 'post', 'k1'), await keyState(store, 'post', 'k2')],
      ['completed', 'processing'],
    );
    assert.deepEqual(await store.settle(node, [{ ...settlement(running, COMPLETED), ...key('k2') }], T0), [true]);
    assert.equal(await keyState(store, 'post', 'k2'), 'completed');
  },

  'an alias that the node announces itself keeps what it has': async ({ store }) => {
    await join(store);
    await append(store, [event('e1', ['mail'])]);
    await join(store, [ADOPTER, handler('mail')], 'node-b');
    assert.deepEqual(
      (await store.listHandlers()).map((one) => [one.name, one.retiredAt]),
      [
        ['mail', null],
        ['post', null],
      ],
    );
    assert.deepEqual(await states(store, 'e1'), ['mail pending']);
  },

  'an alias that nobody knows is nothing, and adopting again changes nothing': async ({ store }) => {
    await join(store);
    const adopter = handler('post', { aliases: ['nobody', 'mail'] });
    await join(store, [adopter], 'node-b');
    const { version } = await store.loadRegistry();
    const [before] = await store.listHandlers();
    await join(store, [adopter], 'node-c');
    assert.equal((await store.loadRegistry()).version, version);
    const handlers = await store.listHandlers();
    assert.deepEqual([handlers.map((one) => one.name), handlers[0]], [['mail', 'post'], before]);
  },

  "what comes for an adopted handler later becomes the adopter's": async ({ store }) => {
    const node = await join(store);
    await join(store, [ADOPTER], 'node-b');
    await append(store, [event('e1', ['mail']), event('late', ['mail'], { availableAt: T0 + 1 })]);
    assert.deepEqual(await claim(store, node), []);
    assert.equal(await store.expireRetired(T0, 1), 1);
    assert.equal(await store.expireRetired(T0, 10), 1);
    assert.equal(await store.expireRetired(T0, 10), 0);
    assert.deepEqual([await states(store, 'e1'), await states(store, 'late')], [['post pending'], ['post scheduled']]);
    assert.equal(await store.countDeadLetters({}), 0);
    assert.deepEqual(eventIds(await claim(store, node, 10, ['post'])), ['e1']);
  },

  'an adopted handler that is announced again is a handler of its own': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('adopted', ['mail'])]);
    await join(store, [ADOPTER], 'node-b');
    await store.registerHandlers(node, [handler('mail')], T0 + 1);
    assert.deepEqual((await store.loadRegistry()).handlers.map((one) => one.name).toSorted(), ['mail', 'post']);
    await append(store, [event('e1', ['mail', 'post'])]);
    assert.equal(await store.expireRetired(T0, 10), 0);
    assert.deepEqual(await states(store, 'e1'), ['mail pending', 'post pending']);
    assert.deepEqual(eventIds(await claim(store, node)), ['e1']);
    assert.deepEqual(eventIds(await claim(store, node, 10, ['post'])), ['adopted', 'e1']);
  },
});
