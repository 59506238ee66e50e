import assert from 'node:assert/strict';
import type { DeadLetterQuery } from '../../store/dead-letter.store.js';
import type { EventStore } from '../../store/event-store.js';
import { contractCases, type StoreHarness } from './contract-case.js';
import {
  append,
  at,
  claim,
  claimOne,
  COMPLETED,
  DEAD,
  deadLetters,
  event,
  failure,
  HOUR,
  join,
  names,
  only,
  settle,
  states,
  T0,
} from './scene.js';

/** Event ids of the letters that a query finds, as listed. */
async function found(store: EventStore, query: DeadLetterQuery): Promise<string[]> {
  return (await store.listDeadLetters(query, 100)).map((letter) => letter.event.id);
}

/** Five letters a..e, of two handlers, three types, three reasons, one hour apart. */
async function five({ store }: StoreHarness): Promise<Record<string, number>> {
  const node = await join(store, ['mail', 'ledger']);
  const letters = [
    ['a', 'mail', 'order.placed', 'exhausted'],
    ['b', 'mail', 'order.paid', 'rejected'],
    ['c', 'ledger', 'order.placed', 'expired'],
    ['d', 'ledger', 'order.sent', 'rejected'],
    ['e', 'mail', 'order.placed', 'rejected'],
  ] as const;
  const ids: Record<string, number> = {};
  for (const [index, [id, handler, type, reason]] of letters.entries()) {
    await append(store, [event(id, [at(50, handler)], { type })]);
    const delivery = await claimOne(store, node, handler);
    ids[id] = delivery.id;
    assert.ok(await settle(store, node, delivery, { outcome: 'dead', reason, failure: null }, T0 + index * HOUR));
  }
  return ids;
}

export const deadLetterCases = contractCases('dead letters', {
  'are found by every condition and by all of them together': async (harness) => {
    const { store } = harness;
    const ids = await five(harness);
    const queries: [DeadLetterQuery, string[]][] = [
      [{}, ['e', 'd', 'c', 'b', 'a']],
      [{ ids: [ids['b'], ids['d'], 999_999] }, ['d', 'b']],
      [{ ids: [] }, []],
      [{ eventId: 'c' }, ['c']],
      [{ eventId: 'nobody' }, []],
      [{ eventType: 'order.placed' }, ['e', 'c', 'a']],
      [{ handler: 'ledger' }, ['d', 'c']],
      [{ reason: 'rejected' }, ['e', 'd', 'b']],
      [{ since: T0 + HOUR }, ['e', 'd', 'c', 'b']],
      [{ until: T0 + HOUR }, ['a']],
      [{ since: T0 + HOUR, until: T0 + 3 * HOUR }, ['c', 'b']],
      [{ handler: 'mail', reason: 'rejected', eventType: 'order.placed', since: T0 + 4 * HOUR }, ['e']],
      [{ handler: 'ledger', reason: 'exhausted' }, []],
    ];
    for (const [query, expected] of queries) {
      assert.deepEqual(await found(store, query), expected, JSON.stringify(query));
      assert.equal(await store.countDeadLetters(query), expected.length, JSON.stringify(query));
    }
  },

  'come in pages, newest first': async (harness) => {
    const { store } = harness;
    await five(harness);
    const pages: string[][] = [];
    for (let before: number | undefined; pages.length < 4;) {
      const page = await store.listDeadLetters({}, 2, before);
      pages.push(page.map((letter) => letter.event.id));
      before = page.at(-1)?.id ?? before;
    }
    assert.deepEqual(pages, [['e', 'd'], ['c', 'b'], ['a'], []]);
  },

  'a redriven delivery is pending with fresh attempts, and keeps its id, its failures and its claims': async ({
    store,
  }) => {
    const node = await join(store);
    await append(store, [event('e1', [at(20)])]);
    const first = await claimOne(store, node);
    await settle(store, node, first, { outcome: 'retry', availableAt: T0 + 1, failure: failure(1) });
    await store.stage(T0 + 1, 1);
    await settle(store, node, await claimOne(store, node), { ...DEAD, failure: failure(2) });

    assert.deepEqual(await store.redrive({}, 10, T0 + HOUR), [first.id]);
    assert.deepEqual(await store.listDeadLetters({}, 10), []);
    const record = await only(store, 'e1');
    assert.deepEqual(
      [record.id, record.state, record.attempts, record.reason, record.finishedAt, record.failures],
      [first.id, 'pending', 0, null, null, [failure(1), failure(2)]],
    );
    const again = await claimOne(store, node);
    const event1 = await store.findEvent('e1');
    assert.deepEqual(again, { ...first, claims: 3, attempts: 0, crashes: 0, dueAt: T0 + HOUR, event: event1 });
    assert.equal(await settle(store, node, first, COMPLETED), false, 'a lease from before the redrive');
    assert.equal(await settle(store, node, again, COMPLETED), true);
  },

  'a redriven suspect is one no longer': async ({ store }) => {
    const node = await join(store);
    const crashing = await join(store, ['mail'], 'node-b');
    await append(store, [event('e1', ['mail'])]);
    await claimOne(store, crashing);
    await store.removeNode(crashing, T0);
    await settle(store, node, await claimOne(store, node), { ...DEAD, failure: null });
    await store.redrive({}, 1, T0);
    const wants = [{ handler: 'mail', limit: 1 }];
    const [again] = (await store.claim({ node, wants, limit: 1, suspect: false })) ?? [];
    assert.deepEqual([again?.crashes, again?.attempts, again?.claims], [0, 0, 3]);
  },

  'a delivery can die again, and its failures go on adding up': async ({ store }) => {
    const node = await join(store);
    await deadLetters(store, node, [event('e1', ['mail'])]);
    await store.redrive({}, 1, T0);
    await settle(store, node, await claimOne(store, node), { ...DEAD, failure: failure(1, { at: T0 + HOUR }) });
    const [letter] = await store.listDeadLetters({}, 10);
    assert.deepEqual([letter?.attempts, letter?.failures], [1, [failure(1), failure(1, { at: T0 + HOUR })]]);
  },

  'redrive takes what the query finds, the oldest up to the limit': async ({ store }) => {
    const node = await join(store, ['mail', 'ledger']);
    const dead = await deadLetters(store, node, [
      event('e0', ['mail']),
      event('e1', [at(10)]),
      event('e2', ['ledger']),
      event('e3', ['mail']),
    ]);
    const idOf = (id: string) => dead.find((one) => one.event.id === id)?.id as number;
    const redriven = await store.redrive({ handler: 'mail' }, 2, T0);
    assert.deepEqual(
      redriven.toSorted((a, b) => a - b),
      [idOf('e0'), idOf('e1')],
    );
    assert.deepEqual(await found(store, {}), ['e3', 'e2']);
    assert.deepEqual(await store.redrive({ ids: [idOf('e0')] }, 10, T0), []);
    assert.deepEqual(await store.redrive({ ids: [idOf('e2')] }, 10, T0), [idOf('e2')]);
    assert.deepEqual(await states(store, 'e3'), ['mail dead']);
  },

  'of two that redrive at once each letter is redriven by one': async ({ store, another }) => {
    const node = await join(store);
    const other = await another();
    const dead = await deadLetters(
      store,
      node,
      names('e', 40).map((id) => event(id, ['mail'])),
    );
    const answers = await Promise.all([store, other, store, other].map((one) => one.redrive({}, 100, T0)));
    assert.deepEqual(
      answers.flat().toSorted((a, b) => a - b),
      dead.map((one) => one.id),
    );
    assert.equal(await store.countDeadLetters({}), 0);
    assert.equal((await claim(store, node, 100)).length, 40);
  },

  'discard deletes for good what the query finds, the oldest up to the limit': async ({ store }) => {
    const node = await join(store, ['mail', 'ledger']);
    const dead = await deadLetters(store, node, [
      event('e0', ['mail']),
      event('e1', ['ledger']),
      event('e2', ['mail']),
      event('e3', ['mail']),
    ]);
    const idOf = (id: string) => dead.find((one) => one.event.id === id)?.id as number;
    const discarded = await store.discard({ handler: 'mail' }, 2);
    assert.deepEqual(
      discarded.toSorted((a, b) => a - b),
      [idOf('e0'), idOf('e2')],
    );
    assert.deepEqual(await found(store, {}), ['e3', 'e1']);
    assert.deepEqual(await store.findDeliveries('e0'), []);
    assert.deepEqual(await store.discard({ ids: discarded }, 10), []);
    assert.deepEqual(await store.redrive({ ids: discarded }, 10, T0), []);
    assert.equal((await store.findEvent('e0'))?.id, 'e0', 'the event stays until it is pruned');
  },

  'of a redrive and a discard at once each letter has one': async ({ store, another }) => {
    const node = await join(store);
    const other = await another();
    const dead = await deadLetters(
      store,
      node,
      names('e', 40).map((id) => event(id, ['mail'])),
    );
    const [redriven, discarded] = await Promise.all([store.redrive({}, 100, T0), other.discard({}, 100)]);
    assert.deepEqual(
      [...redriven, ...discarded].toSorted((a, b) => a - b),
      dead.map((one) => one.id),
    );
    assert.equal((await claim(store, node, 100)).length, redriven.length);
  },

  'what is not dead is no dead letter': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('done', ['mail']), event('leased', ['mail']), event('pending', ['mail'])]);
    await settle(store, node, await claimOne(store, node), COMPLETED);
    await claimOne(store, node);
    assert.deepEqual(await store.listDeadLetters({}, 10), []);
    assert.deepEqual([await store.redrive({}, 10, T0), await store.discard({}, 10)], [[], []]);
    assert.deepEqual(await states(store, 'leased'), ['mail processing']);
  },
});
