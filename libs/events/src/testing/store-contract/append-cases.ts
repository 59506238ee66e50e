import assert from 'node:assert/strict';
import { contractCases } from './contract-case.js';
import {
  append,
  appendRaw,
  claim,
  event,
  eventIds,
  HOUR,
  join,
  names,
  only,
  openTransaction,
  seqOf,
  startMeanwhile,
  states,
  T0,
} from './scene.js';

export const appendCases = contractCases('append', {
  'keeps every field of an event, and its deliveries are pending': async ({ store }) => {
    const node = await join(store, ['mail', 'ledger']);
    const stored = event('e1', ['mail', { handler: 'ledger', priority: 7, orderingKey: 'k1' }], {
      type: 'payment.processed',
      version: 3,
      payload: '{"amount":1}',
      headers: '{"tenant":"a"}',
      orderingKey: 'k1',
      priority: 7,
      occurredAt: T0 - 1_000,
    });
    assert.deepEqual(await append(store, [stored], T0 + 5), { stored: [true], fannedOut: true });
    const seq = await seqOf(store, 'e1');
    const { deliveries: _deliveries, availableAt: _availableAt, ...fields } = stored;
    assert.deepEqual(await store.findEvent('e1'), { ...fields, seq, receivedAt: T0 + 5 });
    assert.equal(await store.payload(seq), '{"amount":1}');
    const records = await store.findDeliveries('e1');
    const live = { seq, state: 'pending', attempts: 0, availableAt: null, finishedAt: null, durationMs: null };
    assert.deepEqual(
      records.map(({ id: _id, ...record }) => record),
      [
        { ...live, handler: 'mail', reason: null, failures: [] },
        { ...live, handler: 'ledger', reason: null, failures: [] },
      ],
    );
    assert.ok(records[0]?.id < records[1]?.id, 'deliveries come by id');
    const claimed = await claim(store, node, 10, ['mail', 'ledger']);
    assert.deepEqual(
      claimed.map((one) => [one.handler, one.priority, one.event.orderingKey]),
      [
        ['ledger', 7, 'k1'],
        ['mail', 50, 'k1'],
      ],
    );
  },

  'may claim with its commit: older deliveries first, then those that it has brought': async ({ store }) => {
    const node = await join(store, ['mail', 'ledger']);
    await append(store, [event('e1', ['mail'])]);
    const { version: registryVersion } = await store.loadRegistry();
    const wants = [{ handler: 'mail', limit: 2 }];
    const events = [event('e2', ['mail', 'ledger']), event('e3', ['mail'])];
    const request = { events, registryVersion, now: T0, claim: { node, wants, limit: 10, suspect: false } };
    const { stored, fannedOut, claimed } = await store.append(request);
    assert.deepEqual([stored, fannedOut], [[true, true], true]);
    // A store may leave it to `claim`.
    if (claimed === undefined) return;
    assert.deepEqual(eventIds(claimed ?? []), ['e1', 'e2']);
    assert.deepEqual(claimed?.[1]?.event, await store.findEvent('e2'));
    assert.deepEqual(await states(store, 'e1'), ['mail processing']);
    assert.deepEqual(await states(store, 'e2'), ['mail processing', 'ledger pending']);
    assert.deepEqual(await states(store, 'e3'), ['mail pending']);
    assert.deepEqual(await store.lostLeases(node, claimed ?? []), []);
  },

  'stores the events although the node that would claim with them is gone': async ({ store }) => {
    const node = await join(store);
    await store.removeNode(node, T0);
    const { version: registryVersion } = await store.loadRegistry();
    const claim = { node, wants: [{ handler: 'mail', limit: 1 }], limit: 1, suspect: false };
    const { stored, claimed } = await store.append({
      events: [event('e1', ['mail'])],
      registryVersion,
      now: T0,
      claim,
    });
    assert.deepEqual([stored, claimed ?? null], [[true], null]);
    assert.deepEqual(await states(store, 'e1'), ['mail pending']);
  },

  'ids are positive safe integers': async ({ store }) => {
    await join(store);
    await append(store, [event('e1', ['mail'])]);
    const { id, seq } = await only(store, 'e1');
    for (const value of [id, seq]) assert.ok(Number.isSafeInteger(value) && value > 0, `${value}`);
  },

  'ignores an id that the inbox has, and the first stays as it was': async ({ store }) => {
    await join(store);
    await append(store, [event('e1', ['mail'], { payload: '"first"' })]);
    const again = event('e1', ['mail'], { payload: '"second"' });
    assert.deepEqual(await append(store, [event('e0', ['mail']), again, event('e2', ['mail'])]), {
      stored: [true, false, true],
      fannedOut: true,
    });
    assert.equal((await store.findEvent('e1'))?.payload, '"first"');
    assert.deepEqual([await states(store, 'e1'), await states(store, 'e2')], [['mail pending'], ['mail pending']]);
  },

  'of one id twice in a call the first wins': async ({ store }) => {
    const node = await join(store);
    const result = await append(store, [
      event('e1', ['mail'], { payload: '"first"' }),
      event('e2', ['mail']),
      event('e1', ['mail'], { payload: '"second"' }),
    ]);
    assert.deepEqual(result, { stored: [true, true, false], fannedOut: true });
    assert.equal((await store.findEvent('e1'))?.payload, '"first"');
    assert.deepEqual(eventIds(await claim(store, node)), ['e1', 'e2']);
  },

  'of two stores that append one id at once, one stores it': async ({ store, another }) => {
    await join(store);
    const other = await another();
    const ids = names('e', 20);
    const results = await Promise.all(
      ids.flatMap((id) => [append(store, [event(id, ['mail'])]), append(other, [event(id, ['mail'])])]),
    );
    for (const [index, id] of ids.entries()) {
      const pair = [results[2 * index], results[2 * index + 1]].map((result) => result?.stored[0]);
      assert.equal(pair.filter(Boolean).length, 1, id);
      assert.deepEqual(await states(store, id), ['mail pending']);
    }
  },

  'appends nothing when it is given nothing': async ({ store }) => {
    await join(store);
    assert.deepEqual(await append(store, []), { stored: [], fannedOut: true });
  },

  'stores events raw when the registry has moved on': async ({ store }) => {
    const node = await join(store);
    assert.deepEqual(await appendRaw(store, [event('e1', ['mail'])]), { stored: [true], fannedOut: false });
    assert.deepEqual(await store.findDeliveries('e1'), []);
    assert.equal((await store.findEvent('e1'))?.id, 'e1');
    assert.deepEqual(await claim(store, node), []);
  },

  'an event that nobody subscribes to counts as fanned out': async ({ store }) => {
    await join(store);
    assert.deepEqual(await append(store, [event('e1')]), { stored: [true], fannedOut: true });
    const { version } = await store.loadRegistry();
    const fanOut = { limit: 10, registryVersion: version, now: T0, match: () => [] };
    assert.deepEqual(await store.fanOut(fanOut), { events: 0, deliveries: 0, unhandled: [], stale: false });
  },

  'a moment later than now makes scheduled deliveries, one that has come pending ones': async ({ store }) => {
    const node = await join(store);
    await append(store, [
      event('late', ['mail'], { availableAt: T0 + 1 }),
      event('now', ['mail'], { availableAt: T0 }),
      event('past', ['mail'], { availableAt: T0 - HOUR }),
    ]);
    const late = await only(store, 'late');
    assert.deepEqual([late.state, late.availableAt], ['scheduled', T0 + 1]);
    for (const id of ['now', 'past']) {
      const { state, availableAt } = await only(store, id);
      assert.deepEqual([id, state, availableAt], [id, 'pending', null]);
    }
    assert.deepEqual(eventIds(await claim(store, node)), ['now', 'past']);
  },

  'seq follows the order given, and the order of calls': async ({ store }) => {
    await join(store);
    const ids = names('e', 60);
    await append(
      store,
      ids.slice(0, 50).map((id) => event(id, ['mail'])),
    );
    for (const id of ids.slice(50)) await append(store, [event(id, ['mail'])]);
    const seqs = await Promise.all(ids.map((id) => seqOf(store, id)));
    assert.deepEqual(
      seqs,
      seqs.toSorted((a, b) => a - b),
    );
    assert.equal(new Set(seqs).size, ids.length);
  },

  'deliveries follow the order of their events, whatever ids these have': async ({ store }) => {
    const node = await join(store, ['mail', 'ledger']);
    const ids = names('e', 300).map((_, index, all) => all[(index * 77) % all.length]);
    await append(store, [event(ids[0], ['mail'])]);
    // The first one is there already, so that what is stored must be told from what is given.
    await append(
      store,
      ids.map((id) => event(id, ['mail', 'ledger'])),
    );
    assert.deepEqual(eventIds(await claim(store, node, 300, ['mail'])), ids);
    assert.deepEqual(eventIds(await claim(store, node, 300, ['ledger'])), ids.slice(1));
  },

  'events of one key get their seq in commit order: the later append waits': async ({ store, another }) => {
    await join(store);
    const other = await another();
    const { version } = await store.loadRegistry();
    const of = (id: string) => ({
      events: [event(id, ['mail'], { orderingKey: 'k' })],
      registryVersion: version,
      now: T0,
    });
    let committed = false;
    const open = await openTransaction(store, (manager) => store.append(of('first'), manager));
    const later = await startMeanwhile(async () => {
      await other.append(of('second'));
      return committed;
    });
    committed = true;
    await open.commit();
    assert.equal(await later.done, true, 'the second append did not wait for the first transaction');
    assert.ok((await seqOf(store, 'first')) < (await seqOf(store, 'second')));
  },

  'a call that fails has stored nothing': async ({ store }) => {
    await join(store);
    const bad = {
      ...event('e2', ['mail']),
      get payload(): string {
        throw new Error('this event cannot be read');
      },
    };
    await assert.rejects(append(store, [event('e1', ['mail']), bad]), /cannot be read/);
    assert.deepEqual([await store.findEvent('e1'), await store.findDeliveries('e1')], [null, []]);
  },

  'knows no event, no deliveries and no payload of what is not there': async ({ store }) => {
    assert.deepEqual(
      [await store.findEvent('nobody'), await store.findDeliveries('nobody'), await store.payload(123_456)],
      [null, [], null],
    );
  },
});
