import assert from 'node:assert/strict';
import type { EventStore } from '../../store/event-store.js';
import { contractCases } from './contract-case.js';
import {
  append,
  appendRaw,
  claim,
  claimOne,
  COMPLETED,
  deadLetters,
  event,
  failure,
  HOUR,
  join,
  names,
  settle,
  states,
  T0,
} from './scene.js';

/** Prunes until there is nothing left to prune; answers how many rows went. */
async function prune(store: EventStore, completedBefore: number, deadBefore = 0, limit = 100): Promise<number> {
  let total = 0;
  for (let round = 0; round < 100; round++) {
    const pruned = await store.prune({ completedBefore, deadBefore, now: T0, limit });
    if (pruned === 0) return total;
    total += pruned;
  }
  return assert.fail('prune never came to an end');
}

/** Appends an event at T0 for `mail` and completes it at `finishedAt`. */
async function complete(store: EventStore, node: number, id: string, finishedAt: number): Promise<void> {
  await append(store, [event(id, ['mail'])]);
  assert.ok(await settle(store, node, await claimOne(store, node), COMPLETED, finishedAt));
}

async function inbox(store: EventStore, ...ids: string[]): Promise<string[]> {
  const found = await Promise.all(ids.map((id) => store.findEvent(id)));
  return ids.filter((_, index) => found[index] !== null);
}

export const pruneCases = contractCases('prune', {
  'history goes when it finished before the moment, not at it': async ({ store }) => {
    const node = await join(store);
    await complete(store, node, 'e1', T0 + HOUR);
    assert.equal(await prune(store, T0 + HOUR), 0);
    assert.deepEqual(await states(store, 'e1'), ['mail completed']);
    assert.equal(await prune(store, T0 + HOUR + 1), 2);
    assert.deepEqual([await states(store, 'e1'), await inbox(store, 'e1')], [[], []]);
  },

  'duplicates and cancelled deliveries are history too': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('e1', ['mail']), event('e2', ['mail'])]);
    const [duplicate, cancelled] = await claim(store, node);
    assert.ok(duplicate && cancelled);
    await settle(store, node, duplicate, { outcome: 'duplicate', attempts: 0, durationMs: 0 });
    await store.cancel(cancelled.id, T0);
    assert.equal(await prune(store, T0 + 1), 4);
    assert.deepEqual(await inbox(store, 'e1', 'e2'), []);
  },

  'dead letters go when they died before their own moment, and their event stays as long': async ({ store }) => {
    const node = await join(store);
    await deadLetters(store, node, [event('e1', ['mail'])], T0 + HOUR);
    assert.equal(await prune(store, T0 + 9 * HOUR, T0 + HOUR), 0);
    assert.deepEqual([await states(store, 'e1'), await inbox(store, 'e1')], [['mail dead'], ['e1']]);
    assert.equal(await store.countDeadLetters({}), 1);
    assert.equal(await prune(store, T0 + 9 * HOUR, T0 + HOUR + 1), 2);
    assert.deepEqual([await store.countDeadLetters({}), await inbox(store, 'e1')], [0, []]);
  },

  'dead letters do not go by the moment of history': async ({ store }) => {
    const node = await join(store);
    await deadLetters(store, node, [event('e1', ['mail'])]);
    await complete(store, node, 'e2', T0);
    assert.equal(await prune(store, 0, T0 + 9 * HOUR), 1);
    assert.deepEqual(await inbox(store, 'e1', 'e2'), ['e1', 'e2']);
    assert.deepEqual([await states(store, 'e1'), await states(store, 'e2')], [[], ['mail completed']]);
  },

  'unfinished work is never pruned': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('leased', ['mail']), event('retry', ['mail'])]);
    await claimOne(store, node);
    const retry = { outcome: 'retry', availableAt: T0 + 99 * HOUR, failure: failure(1) } as const;
    await settle(store, node, await claimOne(store, node), retry);
    await append(store, [event('pending', ['mail']), event('scheduled', ['mail'], { availableAt: T0 + 99 * HOUR })]);
    await appendRaw(store, [event('raw', ['mail'])]);
    assert.equal(await prune(store, T0 + 999 * HOUR, T0 + 999 * HOUR), 0);
    const ids = ['leased', 'retry', 'pending', 'scheduled', 'raw'];
    assert.deepEqual(await inbox(store, ...ids), ids);
    assert.deepEqual((await Promise.all(ids.map((id) => states(store, id)))).flat(), [
      'mail processing',
      'mail scheduled',
      'mail pending',
      'mail scheduled',
    ]);
  },

  'an event stays while one of its deliveries is unfinished': async ({ store }) => {
    const node = await join(store, ['mail', 'ledger']);
    await append(store, [event('e1', ['mail', 'ledger'])]);
    await settle(store, node, await claimOne(store, node, 'mail'), COMPLETED);
    assert.equal(await prune(store, T0 + HOUR), 1);
    assert.deepEqual([await states(store, 'e1'), await inbox(store, 'e1')], [['ledger pending'], ['e1']]);
    const ledger = await claimOne(store, node, 'ledger');
    assert.equal(ledger.event.payload, '{"of":"e1"}');
    await settle(store, node, ledger, COMPLETED);
    assert.equal(await prune(store, T0 + HOUR), 2);
    assert.deepEqual(await inbox(store, 'e1'), []);
  },

  'an event goes no sooner than its own age allows': async ({ store }) => {
    await join(store);
    await append(store, [event('e1'), event('e2')], T0 + HOUR);
    assert.equal(await prune(store, T0 + HOUR), 0);
    assert.deepEqual(await inbox(store, 'e1', 'e2'), ['e1', 'e2']);
    assert.equal(await prune(store, T0 + HOUR + 1), 2);
    assert.deepEqual(await inbox(store, 'e1', 'e2'), []);
  },

  'the event of a discarded letter goes': async ({ store }) => {
    const node = await join(store);
    await deadLetters(store, node, [event('e1', ['mail'])]);
    assert.equal(await prune(store, T0 + 1), 0);
    await store.discard({}, 10);
    assert.equal(await prune(store, T0 + 1), 1);
    assert.deepEqual(await inbox(store, 'e1'), []);
  },

  'takes at most its limit of each table a call, and 0 means done': async ({ store }) => {
    const node = await join(store);
    const ids = names('e', 7);
    for (const id of ids) await complete(store, node, id, T0);
    const first = await store.prune({ completedBefore: T0 + 1, deadBefore: 0, now: T0, limit: 2 });
    assert.ok(first >= 2 && first <= 4, `${first} rows of two tables went, with a limit of 2`);
    const left = (await Promise.all(ids.map((id) => states(store, id)))).flat();
    assert.equal(left.length, 5);
    assert.equal(first + (await prune(store, T0 + 1, 0, 2)), 14);
    assert.deepEqual(await inbox(store, ...ids), []);
  },

  'an id is forgotten with its event, and can be appended anew': async ({ store }) => {
    const node = await join(store);
    await complete(store, node, 'e1', T0);
    assert.deepEqual((await append(store, [event('e1', ['mail'])])).stored, [false]);
    await prune(store, T0 + 1);
    assert.deepEqual((await append(store, [event('e1', ['mail'])])).stored, [true]);
    assert.deepEqual(await states(store, 'e1'), ['mail pending']);
  },
});

export const backlogCases = contractCases('backlog', {
  'counts live and dead deliveries of each handler that has any': async ({ store }) => {
    const node = await join(store, ['mail', 'ledger', 'fraud', 'idle']);
    await append(
      store,
      names('e', 4).map((id) => event(id, ['mail'])),
      T0 + 1,
    );
    const [done, dead, retried] = await claim(store, node);
    assert.ok(done && dead && retried);
    await settle(store, node, done, COMPLETED);
    await settle(store, node, dead, { outcome: 'dead', reason: 'rejected', failure: null });
    await settle(store, node, retried, { outcome: 'retry', availableAt: T0 + 1, failure: failure(1) });
    await append(store, [event('second', ['mail', 'ledger'])], T0 + 20);
    await append(store, [event('third', ['mail', 'ledger'])], T0 + 30);
    await deadLetters(store, node, [event('x', ['fraud'])]);
    const backlog = (await store.backlog()).toSorted((a, b) => (a.handler < b.handler ? -1 : 1));
    const none = { pending: 0, scheduled: 0, processing: 0, dead: 0, oldestPendingAt: null };
    assert.deepEqual(backlog, [
      { ...none, handler: 'fraud', dead: 1 },
      { ...none, handler: 'ledger', pending: 2, oldestPendingAt: T0 + 20 },
      { handler: 'mail', pending: 2, scheduled: 1, processing: 1, dead: 1, oldestPendingAt: T0 + 20 },
    ]);
  },

  'is empty when all is done': async ({ store }) => {
    const node = await join(store);
    await complete(store, node, 'e1', T0);
    assert.deepEqual(await store.backlog(), []);
  },
});
