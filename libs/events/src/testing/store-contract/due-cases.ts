import assert from 'node:assert/strict';
import type { EventStore } from '../../store/event-store.js';
import type { ClaimedDelivery } from '../../store/records.js';
import { contractCases } from './contract-case.js';
import { keyed, lane, take } from './lane-scene.js';
import {
  append,
  appendRaw,
  at,
  claim,
  COMPLETED,
  DEAD,
  event,
  failure,
  handler,
  HOUR,
  join,
  settle,
  settlement,
  T0,
} from './scene.js';

/** Since when each is due, in milliseconds after T0, by event. */
function dues(claimed: readonly ClaimedDelivery[]): Record<string, number> {
  return Object.fromEntries(claimed.map((one) => [one.event.id, one.dueAt - T0]));
}

/** A node, and one delivery due since T0 + 7 by its event, one since T0 + 10 by its delay. */
async function scene(store: EventStore): Promise<number> {
  const node = await join(store);
  await append(store, [event('plain', ['mail']), event('late', ['mail'], { availableAt: T0 + 10 })], T0 + 7);
  await store.stage(T0 + 25, 10);
  return node;
}

const SCENE = { plain: 7, late: 10 };

async function fanOut(store: EventStore, now: number): Promise<void> {
  const { version } = await store.loadRegistry();
  await store.fanOut({ limit: 100, registryVersion: version, now, match: () => [at(50)] });
}

export const dueCases = contractCases('due', {
  'what could be claimed from the start is due since its event was received': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('plain', ['mail']), event('over', ['mail'], { availableAt: T0 + 5 })], T0 + 7);
    assert.deepEqual(dues(await claim(store, node)), { plain: 7, over: 7 });
  },

  'a late fan-out changes nothing about it': async ({ store }) => {
    const node = await join(store);
    await appendRaw(store, [event('plain'), event('over', [], { availableAt: T0 + 5 })], T0 + 7);
    await fanOut(store, T0 + HOUR);
    assert.deepEqual(dues(await claim(store, node)), { plain: 7, over: 7 });
  },

  'what was delayed is due since its moment, whenever it is staged': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('e1', ['mail'], { availableAt: T0 + 10 })]);
    await appendRaw(store, [event('raw', [], { availableAt: T0 + 11 })]);
    await fanOut(store, T0 + 1);
    await store.stage(T0 + 25, 10);
    assert.deepEqual(dues(await claim(store, node)), { e1: 10, raw: 11 });
  },

  'a delay that was over before the fan-out was over at its moment': async ({ store }) => {
    const node = await join(store);
    await appendRaw(store, [event('e1', [], { availableAt: T0 + 5 })]);
    await fanOut(store, T0 + 9);
    assert.deepEqual(dues(await claim(store, node)), { e1: 5 });
  },

  'what was to be tried again is due since then, and what was snoozed, too': async ({ store }) => {
    const node = await scene(store);
    const [plain, late] = await claim(store, node);
    const retry = { outcome: 'retry', availableAt: T0 + 40, failure: failure(1) } as const;
    await settle(store, node, plain, retry, T0 + 30);
    await settle(store, node, late, { outcome: 'snoozed', availableAt: T0 + 50 }, T0 + 30);
    await store.stage(T0 + 90, 10);
    const [again, other] = await claim(store, node);
    assert.deepEqual(dues([again, other]), { plain: 40, late: 50 });
    const snoozed = settlement(again, { outcome: 'snoozed', availableAt: T0 + 100 });
    await store.transaction((manager) => store.settleIn(manager, node, snoozed, T0 + 91));
    await store.stage(T0 + 120, 10);
    assert.deepEqual(dues(await claim(store, node)), { plain: 100 });
  },

  'what was redriven at once is due since then, whatever it was before': async ({ store }) => {
    const node = await scene(store);
    for (const one of await claim(store, node)) await settle(store, node, one, DEAD, T0 + 30);
    const [late] = await store.listDeadLetters({}, 1);
    await store.redrive({ ids: [late.id] }, 1, T0 + 60);
    // The moment of a pace may have passed: it could not have been claimed before it was redriven.
    await store.redrive({}, 10, T0 + 70, { startAt: T0 + 20, everyMs: 1 });
    assert.deepEqual(dues(await claim(store, node)), { plain: 70, late: 60 });
  },

  'what was redriven at a pace is due since its moment': async ({ store }) => {
    const node = await scene(store);
    for (const one of await claim(store, node)) await settle(store, node, one, DEAD, T0 + 30);
    await store.redrive({}, 10, T0 + 60, { startAt: T0 + 100, everyMs: 50 });
    await store.stage(T0 + 999, 10);
    assert.deepEqual(dues(await claim(store, node)), { plain: 100, late: 150 });
  },

  'what is released has been due all along': async ({ store }) => {
    const node = await scene(store);
    for (const one of await claim(store, node)) await settle(store, node, one, { outcome: 'released' }, T0 + 70);
    assert.deepEqual(dues(await claim(store, node)), SCENE);
  },

  'what a node dies with has been due all along': async ({ store }) => {
    const crashing = await scene(store);
    const node = await join(store, ['mail'], 'node-b');
    await claim(store, crashing);
    await store.removeNode(crashing, T0 + 70);
    // One suspect a claim.
    assert.deepEqual(dues([...(await claim(store, node)), ...(await claim(store, node))]), SCENE);
  },

  'what is rescued has been due all along': async ({ store, forgetNode }) => {
    const crashing = await scene(store);
    const node = await join(store, ['mail'], 'node-b');
    await claim(store, crashing);
    await forgetNode(crashing);
    assert.equal(await store.rescueOrphans(T0 + 70), 2);
    assert.deepEqual(dues([...(await claim(store, node)), ...(await claim(store, node))]), SCENE);
  },

  'a settlement whose lease is lost changes nothing about it': async ({ store }) => {
    const node = await scene(store);
    const claimed = await claim(store, node);
    for (const one of claimed) await settle(store, node, one, { outcome: 'released' }, T0 + 70);
    for (const one of claimed) {
      assert.equal(await settle(store, node, one, { outcome: 'snoozed', availableAt: T0 + 80 }, T0 + 75), false);
    }
    await store.stage(T0 + 90, 10);
    assert.deepEqual(dues(await claim(store, node)), SCENE);
  },

  'who adopts a handler gets its deliveries as due as they were': async ({ store }) => {
    const node = await scene(store);
    await join(store, [handler('post', { aliases: ['mail'] })], 'node-b');
    assert.deepEqual(dues(await claim(store, node, 10, ['post'])), SCENE);
  },

  'who gets the deliveries of a retired handler gets them as due as they were': async ({ store }) => {
    const node = await join(store);
    await join(store, [handler('post', { aliases: ['mail'] })], 'node-b');
    await append(store, [event('plain', ['mail']), event('late', ['mail'], { availableAt: T0 + 10 })], T0 + 7);
    await store.stage(T0 + 25, 10);
    assert.equal(await store.expireRetired(T0 + 70, 10), 2);
    assert.deepEqual(dues(await claim(store, node, 10, ['post'])), SCENE);
  },

  'trials tell it, too': async ({ store }) => {
    const node = await scene(store);
    const [mail] = await store.handlerStates();
    const { epoch } = mail.circuit;
    await store.changeCircuit('mail', epoch, 'open', T0 + 30);
    await store.changeCircuit('mail', epoch + 1, 'half-open', T0 + 40);
    const request = { node, handler: 'mail', epoch: epoch + 2, most: 5, suspect: false };
    assert.deepEqual(dues((await store.claimTrials(request)) ?? []), SCENE);
  },

  'claims from lanes tell it, too: waiting for its lane keeps nothing from being due': async ({ store }) => {
    const node = await lane(store, 1);
    await append(store, [keyed('late', 'a', { availableAt: T0 + 10 }), keyed('plain')], T0 + 7);
    await store.stage(T0 + 25, 10);
    const [head] = await take(store, node, 1);
    assert.deepEqual(dues([head]), { e0: 0 });
    assert.equal(await settle(store, node, head, COMPLETED, T0 + 50), true);
    assert.deepEqual(dues(await take(store, node)), { late: 10, plain: 7 });
  },

  'a claim with an append tells it, too, if the store makes one': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('late', ['mail'], { availableAt: T0 + 10 })]);
    await store.stage(T0 + 25, 10);
    const { version } = await store.loadRegistry();
    const wants = [{ handler: 'mail', limit: 10 }];
    const request = { events: [event('plain', ['mail'])], registryVersion: version, now: T0 + 30 };
    const { claimed } = await store.append({ ...request, claim: { node, wants, limit: 10, suspect: false } });
    assert.deepEqual(dues(claimed ?? (await claim(store, node))), { plain: 30, late: 10 });
  },
});
