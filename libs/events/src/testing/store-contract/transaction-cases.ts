import assert from 'node:assert/strict';
import type { EntityManager } from 'typeorm';
import { EventsError } from '../../errors/events.error.js';
import { contractCases } from './contract-case.js';
import {
  append,
  COMPLETED,
  event,
  join,
  leased,
  openTransaction,
  seqOf,
  settlement,
  startMeanwhile,
  states,
  T0,
  until,
} from './scene.js';

export const transactionCases = contractCases('transaction', {
  'a commit stores what was appended, and answers what the work answered': async ({ store, another }) => {
    await join(store);
    const { version } = await store.loadRegistry();
    const answer = await store.transaction(async (manager) => {
      const request = { events: [event('e1', ['mail']), event('e2', ['mail'])], registryVersion: version, now: T0 };
      return { appended: await store.append(request, manager) };
    });
    assert.deepEqual(answer, { appended: { stored: [true, true], fannedOut: true } });
    const other = await another();
    assert.deepEqual([await states(other, 'e1'), await states(other, 'e2')], [['mail pending'], ['mail pending']]);
    assert.ok((await seqOf(other, 'e1')) < (await seqOf(other, 'e2')));
  },

  'a rollback leaves nothing, and the error comes out as it is': async ({ store }) => {
    const node = await join(store);
    const { version } = await store.loadRegistry();
    const error = new Error('the work failed');
    const thrown: unknown = await store
      .transaction(async (manager) => {
        await store.append({ events: [event('e1', ['mail'])], registryVersion: version, now: T0 }, manager);
        throw error;
      })
      .catch((caught: unknown) => caught);
    assert.equal(thrown, error);
    assert.deepEqual([await store.findEvent('e1'), await store.findDeliveries('e1')], [null, []]);
    const wants = [{ handler: 'mail', limit: 10 }];
    assert.deepEqual(await store.claim({ node, wants, limit: 10, suspect: true }), []);
    assert.deepEqual(await append(store, [event('e1', ['mail'])]), { stored: [true], fannedOut: true });
  },

  'ignores ids that the inbox has or that the transaction itself has appended': async ({ store }) => {
    await join(store);
    await append(store, [event('e1', ['mail'])]);
    const { version } = await store.loadRegistry();
    const of = (...ids: string[]) => ({
      events: ids.map((id) => event(id, ['mail'])),
      registryVersion: version,
      now: T0,
    });
    const results = await store.transaction(async (manager) => [
      await store.append(of('e1', 'e2'), manager),
      await store.append(of('e2', 'e3'), manager),
    ]);
    assert.deepEqual(
      results.map((result) => result.stored),
      [
        [false, true],
        [false, true],
      ],
    );
    assert.deepEqual([await states(store, 'e1'), await states(store, 'e2')], [['mail pending'], ['mail pending']]);
  },

  'stores raw in a transaction when the registry has moved on': async ({ store }) => {
    await join(store);
    const { version } = await store.loadRegistry();
    const request = { events: [event('e1', ['mail'])], registryVersion: version - 1, now: T0 };
    const result = await store.transaction((manager) => store.append(request, manager));
    assert.deepEqual(result, { stored: [true], fannedOut: false });
    assert.deepEqual(await store.findDeliveries('e1'), []);
  },

  'an id that an open transaction holds is a duplicate once that commits': async ({ store, another }) => {
    await join(store);
    const other = await another();
    const { version } = await store.loadRegistry();
    const request = { events: [event('e1', ['mail'])], registryVersion: version, now: T0 };
    const open = await openTransaction(store, (manager) => store.append(request, manager));
    const later = await startMeanwhile(() => other.append(request));
    await open.commit();
    assert.deepEqual([open.result.stored, (await later.done).stored], [[true], [false]]);
    assert.deepEqual(await states(store, 'e1'), ['mail pending']);
  },

  'an id that an open transaction holds is free once that rolls back': async ({ store, another }) => {
    await join(store);
    const other = await another();
    const { version } = await store.loadRegistry();
    const request = { events: [event('e1', ['mail'])], registryVersion: version, now: T0 };
    const open = await openTransaction(store, (manager) => store.append(request, manager));
    const later = await startMeanwhile(() => other.append(request));
    await open.rollBack();
    assert.deepEqual((await later.done).stored, [true]);
    assert.deepEqual(await states(store, 'e1'), ['mail pending']);
  },

  'an outcome and events commit together': async ({ store }) => {
    const { node, delivery } = await leased(store);
    const { version } = await store.loadRegistry();
    const request = { events: [event('next', ['mail'])], registryVersion: version, now: T0 };
    const written = await store.transaction(async (manager) => {
      await store.append(request, manager);
      return store.settleIn(manager, node, settlement(delivery, COMPLETED), T0);
    });
    assert.equal(written, true);
    assert.deepEqual([await states(store, 'e1'), await states(store, 'next')], [['mail completed'], ['mail pending']]);
  },

  'an outcome and events roll back together': async ({ store }) => {
    const { node, delivery } = await leased(store);
    const { version } = await store.loadRegistry();
    const request = { events: [event('next', ['mail'])], registryVersion: version, now: T0 };
    const rolledBack = store.transaction(async (manager) => {
      await store.append(request, manager);
      await store.settleIn(manager, node, settlement(delivery, COMPLETED), T0);
      throw new Error('no');
    });
    await assert.rejects(rolledBack, /^Error: no$/);
    assert.deepEqual([await states(store, 'e1'), await store.findEvent('next')], [['mail processing'], null]);
  },

  'callbacks run once after the commit, not before': async ({ store }) => {
    const calls: string[] = [];
    await store.transaction(async (manager) => {
      store.afterCommit(manager, () => calls.push('a'));
      store.afterCommit(manager, () => calls.push('b'));
      await new Promise((resolve) => setImmediate(resolve));
      calls.push('work ends');
    });
    await until('both callbacks run', () => calls.length >= 3);
    // A second commit gives a callback that would run twice its chance.
    await store.transaction(() => Promise.resolve());
    assert.deepEqual(calls, ['work ends', 'a', 'b']);
  },

  'callbacks never run after a rollback': async ({ store }) => {
    const calls: string[] = [];
    const rolledBack = store.transaction((manager) => {
      store.afterCommit(manager, () => calls.push('rolled back'));
      return Promise.reject(new Error('no'));
    });
    await assert.rejects(rolledBack, /^Error: no$/);
    await store.transaction((manager) => {
      store.afterCommit(manager, () => calls.push('committed'));
      return Promise.resolve();
    });
    await until('the callback of the committed one runs', () => calls.includes('committed'));
    assert.deepEqual(calls, ['committed']);
  },

  'the manager is good while its transaction is open, and refused when that has ended': async ({ store }) => {
    const managers: EntityManager[] = [];
    const work = (end: () => Promise<void>) => (manager: EntityManager) => {
      managers.push(manager);
      store.checkManager(manager);
      return end();
    };
    await store.transaction(work(() => Promise.resolve()));
    await assert.rejects(store.transaction(work(() => Promise.reject(new Error('no')))), /^Error: no$/);
    for (const manager of managers) {
      assert.throws(
        () => store.checkManager(manager),
        (error) => error instanceof EventsError && error.code === 'EVENTS_NO_TRANSACTION',
      );
    }
    assert.equal(managers.length, 2);
  },
});
