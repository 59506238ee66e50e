import assert from 'node:assert/strict';
import { contractCases } from './contract-case.js';
import {
  append,
  at,
  claim,
  claimOne,
  event,
  eventIds,
  failure,
  HOUR,
  join,
  only,
  settle,
  states,
  T0,
} from './scene.js';

export const stageCases = contractCases('stage', {
  'says that nothing is scheduled': async ({ store }) => {
    await join(store);
    await append(store, [event('e1', ['mail'])]);
    assert.deepEqual(await store.stage(T0 + HOUR, 10), { staged: 0, nextDueAt: null });
  },

  'makes pending what is due, to the millisecond, and tells when the next is': async ({ store }) => {
    const node = await join(store);
    await append(store, [
      event('at 10', ['mail'], { availableAt: T0 + 10 }),
      event('at 20', ['mail'], { availableAt: T0 + 20 }),
    ]);
    assert.deepEqual(await store.stage(T0 + 9, 10), { staged: 0, nextDueAt: T0 + 10 });
    assert.deepEqual(await store.stage(T0 + 10, 10), { staged: 1, nextDueAt: T0 + 20 });
    const { state, availableAt } = await only(store, 'at 10');
    assert.deepEqual([state, availableAt], ['pending', null]);
    assert.deepEqual(await store.stage(T0 + 10, 10), { staged: 0, nextDueAt: T0 + 20 });
    assert.deepEqual(eventIds(await claim(store, node)), ['at 10']);
    assert.deepEqual(await store.stage(T0 + 20, 10), { staged: 1, nextDueAt: null });
  },

  'takes the earliest up to the limit; what remains due is told as the next': async ({ store }) => {
    await join(store);
    const due = [30, 10, 50, 20, 40];
    await append(
      store,
      due.map((ms) => event(`at ${ms}`, ['mail'], { availableAt: T0 + ms })),
    );
    assert.deepEqual(await store.stage(T0 + 40, 2), { staged: 2, nextDueAt: T0 + 30 });
    assert.deepEqual(await Promise.all(due.map(async (ms) => (await only(store, `at ${ms}`)).state)), [
      'scheduled',
      'pending',
      'scheduled',
      'pending',
      'scheduled',
    ]);
    assert.deepEqual(await store.stage(T0 + 40, 2), { staged: 2, nextDueAt: T0 + 50 });
    assert.deepEqual(await store.stage(T0 + 40, 2), { staged: 0, nextDueAt: T0 + 50 });
  },

  'a staged delivery has the place of its priority and age': async ({ store }) => {
    const node = await join(store);
    await append(store, [
      event('old', [at(50)], { availableAt: T0 + 2 }),
      event('older by due time', [at(50)], { availableAt: T0 + 1 }),
      event('urgent', [at(10)], { availableAt: T0 + 2 }),
    ]);
    await append(store, [event('young', [at(50)])]);
    assert.equal((await store.stage(T0 + 2, 10)).staged, 3);
    assert.deepEqual(eventIds(await claim(store, node)), ['urgent', 'old', 'older by due time', 'young']);
  },

  'retries and snoozes wait for their own moments': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('retry', ['mail']), event('snooze', ['mail'])]);
    const retry = { outcome: 'retry', availableAt: T0 + 2 * HOUR, failure: failure(1) } as const;
    await settle(store, node, await claimOne(store, node), retry);
    await settle(store, node, await claimOne(store, node), { outcome: 'snoozed', availableAt: T0 + HOUR });
    assert.deepEqual(await claim(store, node), []);
    assert.deepEqual(await store.stage(T0 + HOUR, 10), { staged: 1, nextDueAt: T0 + 2 * HOUR });
    assert.deepEqual(eventIds(await claim(store, node)), ['snooze']);
    assert.deepEqual(await store.stage(T0 + 2 * HOUR, 10), { staged: 1, nextDueAt: null });
    assert.deepEqual(eventIds(await claim(store, node)), ['retry']);
  },

  'what was cancelled while it waited is never due': async ({ store }) => {
    await join(store);
    await append(store, [
      event('e1', ['mail'], { availableAt: T0 + 1 }),
      event('e2', ['mail'], { availableAt: T0 + 2 }),
    ]);
    assert.equal(await store.cancel((await only(store, 'e1')).id, T0), true);
    assert.deepEqual(await store.stage(T0, 10), { staged: 0, nextDueAt: T0 + 2 });
    assert.deepEqual(await store.stage(T0 + 2, 10), { staged: 1, nextDueAt: null });
    assert.deepEqual(await states(store, 'e1'), ['mail cancelled']);
  },

  'two stores that stage at once make each delivery pending once': async ({ store, another }) => {
    const node = await join(store);
    const other = await another();
    const ids = Array.from({ length: 100 }, (_, index) => `e${index}`);
    await append(
      store,
      ids.map((id) => event(id, ['mail'], { availableAt: T0 + 1 })),
    );
    let staged = 0;
    for (let round = 0; staged < 100 && round < 50; round++) {
      const results = await Promise.all([store, other, store, other].map((one) => one.stage(T0 + 1, 20)));
      for (const result of results) staged += result.staged;
    }
    assert.equal(staged, 100);
    assert.deepEqual(eventIds(await claim(store, node, 1_000)), ids);
  },
});
