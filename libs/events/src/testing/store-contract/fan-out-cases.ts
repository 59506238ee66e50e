import assert from 'node:assert/strict';
import type { FanOutRequest, FanOutResult } from '../../store/inbox.store.js';
import type { EventStore } from '../../store/event-store.js';
import type { RawEvent } from '../../store/records.js';
import { contractCases } from './contract-case.js';
import { append, appendRaw, at, claim, event, eventIds, HOUR, join, names, only, seqOf, states, T0 } from './scene.js';

async function fanOut(store: EventStore, request: Partial<FanOutRequest> = {}): Promise<FanOutResult> {
  const { version } = await store.loadRegistry();
  return store.fanOut({ limit: 100, registryVersion: version, now: T0, match: () => [at(50)], ...request });
}

export const fanOutCases = contractCases('fan-out', {
  'makes the deliveries of raw events, and the events are raw no longer': async ({ store }) => {
    const node = await join(store, ['mail', 'ledger']);
    await appendRaw(store, [event('e1'), event('e2')]);
    const both = () => [at(50, 'mail'), at(10, 'ledger')];
    assert.deepEqual(await fanOut(store, { match: both }), { events: 2, deliveries: 4, unhandled: [], stale: false });
    assert.deepEqual(await fanOut(store, { match: both }), { events: 0, deliveries: 0, unhandled: [], stale: false });
    assert.deepEqual((await states(store, 'e1')).toSorted(), ['ledger pending', 'mail pending']);
    const claimed = await claim(store, node, 10, ['mail', 'ledger']);
    assert.deepEqual(claimed.map((one) => `${one.handler} ${one.priority}`).toSorted(), [
      'ledger 10',
      'ledger 10',
      'mail 50',
      'mail 50',
    ]);
  },

  'tells the matcher what it needs of each event, oldest first': async ({ store }) => {
    await join(store);
    await appendRaw(store, [
      event('e1', [], { type: 'a.b', orderingKey: 'k1', priority: 3 }),
      event('e2', [], { type: 'c.d' }),
    ]);
    const seen: RawEvent[] = [];
    const match = ({ seq, type, orderingKey, priority }: RawEvent) => {
      seen.push({ seq, type, orderingKey, priority });
      return [];
    };
    await fanOut(store, { match });
    assert.deepEqual(seen, [
      { seq: await seqOf(store, 'e1'), type: 'a.b', orderingKey: 'k1', priority: 3 },
      { seq: await seqOf(store, 'e2'), type: 'c.d', orderingKey: null, priority: null },
    ]);
  },

  'tells how many events are raw, and since when': async ({ store }) => {
    await join(store);
    assert.deepEqual(await store.unprocessed(), { count: 0, oldestReceivedAt: null });
    await append(store, [event('done', ['mail']), event('nobody')], T0);
    await appendRaw(store, [event('e1')], T0 + 10);
    await appendRaw(store, [event('e2'), event('e3')], T0 + 20);
    assert.deepEqual(await store.unprocessed(), { count: 3, oldestReceivedAt: T0 + 10 });
    await fanOut(store, { limit: 1 });
    assert.deepEqual(await store.unprocessed(), { count: 2, oldestReceivedAt: T0 + 20 });
    await fanOut(store);
    assert.deepEqual(await store.unprocessed(), { count: 0, oldestReceivedAt: null });
  },

  'takes the oldest events up to the limit': async ({ store }) => {
    await join(store);
    await appendRaw(
      store,
      names('e', 5).map((id) => event(id)),
    );
    assert.equal((await fanOut(store, { limit: 2 })).events, 2);
    assert.deepEqual(
      await Promise.all(names('e', 5).map(async (id) => (await store.findDeliveries(id)).length)),
      [1, 1, 0, 0, 0],
    );
    assert.equal((await fanOut(store, { limit: 2 })).events, 2);
    assert.equal((await fanOut(store, { limit: 2 })).events, 1);
  },

  'leaves alone what was fanned out when it was appended': async ({ store }) => {
    await join(store);
    await append(store, [event('e1', ['mail'])]);
    assert.deepEqual(await fanOut(store), { events: 0, deliveries: 0, unhandled: [], stale: false });
    assert.deepEqual(await states(store, 'e1'), ['mail pending']);
  },

  'names the types that matched no handler, one entry an event, and owes them nothing more': async ({ store }) => {
    await join(store);
    await appendRaw(store, [
      event('e1', [], { type: 'lonely.a' }),
      event('e2', [], { type: 'order.placed' }),
      event('e3', [], { type: 'lonely.b' }),
      event('e4', [], { type: 'lonely.a' }),
    ]);
    const match = (raw: RawEvent) => (raw.type === 'order.placed' ? [at(50)] : []);
    const result = await fanOut(store, { match });
    assert.deepEqual(
      { ...result, unhandled: result.unhandled.toSorted() },
      { events: 4, deliveries: 1, unhandled: ['lonely.a', 'lonely.a', 'lonely.b'], stale: false },
    );
    assert.equal((await fanOut(store, { match })).events, 0);
  },

  'does nothing when the registry has moved on, and says so': async ({ store }) => {
    await join(store);
    await appendRaw(store, [event('e1')]);
    const { version } = await store.loadRegistry();
    await join(store, ['ledger'], 'node-b');
    assert.deepEqual(await fanOut(store, { registryVersion: version }), {
      events: 0,
      deliveries: 0,
      unhandled: [],
      stale: true,
    });
    assert.deepEqual(await store.findDeliveries('e1'), []);
    assert.equal((await fanOut(store)).events, 1);
  },

  "keeps the event's delay, and its end": async ({ store }) => {
    const node = await join(store);
    await appendRaw(store, [event('late', [], { availableAt: T0 + HOUR }), event('over', [], { availableAt: T0 + 5 })]);
    await fanOut(store, { now: T0 + 5 });
    const { state, availableAt } = await only(store, 'late');
    assert.deepEqual([state, availableAt], ['scheduled', T0 + HOUR]);
    assert.deepEqual(eventIds(await claim(store, node)), ['over']);
    assert.deepEqual(await store.stage(T0 + HOUR, 10), { staged: 1, nextDueAt: null });
    assert.deepEqual(eventIds(await claim(store, node)), ['late']);
  },

  'fans each event out once, however many stores ask at once': async ({ store, another }) => {
    await join(store);
    const other = await another();
    const ids = names('e', 200);
    await appendRaw(
      store,
      ids.map((id) => event(id)),
    );
    let events = 0;
    for (let round = 0; events < ids.length && round < 100; round++) {
      const results = await Promise.all([store, other, store, other].map((one) => fanOut(one, { limit: 30 })));
      for (const result of results) events += result.events;
    }
    assert.equal(events, ids.length);
    const counts = await Promise.all(ids.map(async (id) => (await store.findDeliveries(id)).length));
    assert.deepEqual(
      counts,
      ids.map(() => 1),
    );
  },

  'does not owe an event that is not committed, or was rolled back': async ({ store }) => {
    await join(store);
    const { version } = await store.loadRegistry();
    const rolledBack = store.transaction(async (manager) => {
      await store.append({ events: [event('e1')], registryVersion: version - 1, now: T0 }, manager);
      throw new Error('no');
    });
    await assert.rejects(rolledBack, /^Error: no$/);
    assert.equal((await fanOut(store)).events, 0);
  },
});
