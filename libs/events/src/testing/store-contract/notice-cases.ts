import assert from 'node:assert/strict';
import { DEAD_LETTER_TYPE, type DeadLetterPayload, deadLetterNotice } from '../../store/dead-letter-notice.js';
import type { EventStore } from '../../store/event-store.js';
import type { Lease, StoredEvent } from '../../store/records.js';
import { contractCases } from './contract-case.js';
import {
  append,
  claim,
  claimOne,
  COMPLETED,
  DEAD,
  event,
  failure,
  handler,
  join,
  names,
  openTransaction,
  settle,
  settlement,
  T0,
} from './scene.js';

/** One that wants to know of deaths. */
const ALARM = handler('alarm', { patterns: ['events.dead-letter'] });

async function noticeOf(store: EventStore, { id, claims }: Lease): Promise<StoredEvent | null> {
  return store.findEvent(`${DEAD_LETTER_TYPE}:${id}:${claims}`);
}

/** Fans out what is raw, notices to `alarm`; answers the types. */
async function fanOut(store: EventStore): Promise<string[]> {
  const { version } = await store.loadRegistry();
  const types: string[] = [];
  const match = ({ type }: { readonly type: string }) => {
    types.push(type);
    return [{ handler: 'alarm', priority: 50, orderingKey: null }];
  };
  assert.equal((await store.fanOut({ limit: 100, registryVersion: version, now: T0, match })).stale, false);
  return types;
}

/** The event and its payload as data: what a store may write in an order of its own. */
function parsed<E extends { readonly payload: string | null }>({ payload, ...rest }: E) {
  return { ...rest, payload: JSON.parse(payload ?? 'null') as DeadLetterPayload };
}

export const noticeCases = contractCases('death notice', {
  'a death is told by an event, stored raw, that holds the letter': async ({ store }) => {
    const node = await join(store, ['mail', ALARM]);
    const payload = '{"a": 1,  "text":"\\u0000 \\ud800"}';
    await append(store, [event('e1', ['mail'], { payload, headers: '{"tenant":"a"}', orderingKey: 'k', version: 3 })]);
    const delivery = await claimOne(store, node);
    assert.equal(await settle(store, node, delivery, DEAD, T0 + 7), true);

    const [letter] = await store.listDeadLetters({}, 1);
    const notice = await noticeOf(store, delivery);
    assert.ok(letter && notice, 'there is a letter and a notice');
    const {
      deliveries: _deliveries,
      availableAt: _availableAt,
      ...expected
    } = deadLetterNotice(letter, delivery.claims) ?? assert.fail('no notice');
    assert.deepEqual(parsed(notice), parsed({ ...expected, seq: notice.seq, receivedAt: T0 + 7 }));
    assert.ok(notice.payload?.includes(payload), "the letter's payload is there to the character");
    assert.deepEqual(await store.findDeliveries(notice.id), []);
    assert.deepEqual(await fanOut(store), [DEAD_LETTER_TYPE]);
    assert.equal((await claimOne(store, node, 'alarm')).event.id, notice.id);
  },

  'there is none when nobody subscribes under `events.`': async ({ store }) => {
    const node = await join(store, [handler('mail', { patterns: ['**', 'events', 'eventsource.*'] })]);
    await append(store, [event('e1', ['mail'])]);
    const delivery = await claimOne(store, node);
    assert.equal(await settle(store, node, delivery, DEAD), true);
    assert.deepEqual([await noticeOf(store, delivery), await fanOut(store)], [null, []]);
  },

  'there is none when the one that subscribed has retired': async ({ store }) => {
    const node = await join(store, ['mail', ALARM]);
    await append(store, [event('e1', ['mail'])]);
    await store.retire('alarm', T0);
    const delivery = await claimOne(store, node);
    assert.equal(await settle(store, node, delivery, DEAD), true);
    assert.deepEqual([await noticeOf(store, delivery), await fanOut(store)], [null, []]);
  },

  'there is one for each that dies in a batch, and for nothing else': async ({ store }) => {
    const node = await join(store, ['mail', handler('alarm', { patterns: ['events.*'] })]);
    await append(
      store,
      names('e', 5).map((id) => event(id, ['mail'])),
    );
    const [a, b, c, d, e] = await claim(store, node);
    assert.ok(a && b && c && d && e);
    const batch = [
      settlement(a, DEAD),
      settlement(b, COMPLETED),
      { ...settlement(c, DEAD), claims: 99 },
      settlement(d, { ...DEAD, reason: 'rejected', failure: failure(2) }),
      settlement(e, { outcome: 'retry', availableAt: T0 + 1, failure: failure(1) }),
    ];
    assert.deepEqual(await store.settle(node, batch, T0), [true, true, false, true, true]);
    await store.cancel(c.id, T0);
    const notices = await Promise.all([a, b, c, d, e].map((one) => noticeOf(store, one)));
    const reasons = notices.map((notice) => notice && parsed(notice).payload.reason);
    assert.deepEqual(reasons, ['exhausted', null, null, 'rejected', null]);
    assert.deepEqual(await fanOut(store), [DEAD_LETTER_TYPE, DEAD_LETTER_TYPE]);
  },

  "the death of one of the library's own events raises none": async ({ store }) => {
    const node = await join(store, ['mail', ALARM]);
    await append(store, [event('e1', ['alarm'], { type: 'events.something' })]);
    const delivery = await claimOne(store, node, 'alarm');
    assert.equal(await settle(store, node, delivery, DEAD), true);
    assert.deepEqual([await noticeOf(store, delivery), await fanOut(store)], [null, []]);
    assert.equal(await store.countDeadLetters({}), 1);
  },

  'a delivery that dies in a transaction is told of with the commit': async ({ store }) => {
    const node = await join(store, ['mail', ALARM]);
    await append(store, [event('e1', ['mail'])]);
    const delivery = await claimOne(store, node);
    const dying = () =>
      openTransaction(store, (manager) => store.settleIn(manager, node, settlement(delivery, DEAD), T0));
    const first = await dying();
    await first.rollBack();
    assert.equal(first.result, true);
    assert.equal(await noticeOf(store, delivery), null);
    const second = await dying();
    await second.commit();
    assert.equal(second.result, true);
    assert.equal((await noticeOf(store, delivery))?.type, DEAD_LETTER_TYPE);
    assert.deepEqual(await fanOut(store), [DEAD_LETTER_TYPE]);
  },

  'a delivery that dies again is told of again': async ({ store }) => {
    const node = await join(store, ['mail', ALARM]);
    await append(store, [event('e1', ['mail'])]);
    const first = await claimOne(store, node);
    await settle(store, node, first, DEAD);
    await store.redrive({}, 1, T0);
    const second = await claimOne(store, node);
    assert.equal(await settle(store, node, second, { ...DEAD, failure: failure(2) }), true);
    const notices = [await noticeOf(store, first), await noticeOf(store, second)];
    assert.deepEqual(
      notices.map((notice) => notice && parsed(notice).payload.failures),
      [[failure(1)], [failure(1), failure(2)]],
    );
  },

  'a large payload is in the notice in full': async ({ store }) => {
    const node = await join(store, ['mail', ALARM]);
    const payload = JSON.stringify('x'.repeat(70_000));
    await append(store, [event('e1', ['mail'], { payload })]);
    const delivery = await claimOne(store, node);
    assert.equal(await settle(store, node, delivery, DEAD), true);
    const notice = await noticeOf(store, delivery);
    assert.ok(notice && JSON.stringify(parsed(notice).payload.event.payload) === payload);
  },

  'what expires with a retired handler is told of too': async ({ store }) => {
    await join(store, ['mail', ALARM]);
    await append(store, [event('e1', ['mail']), event('e2', ['mail'])]);
    const [first] = await store.findDeliveries('e1');
    await store.retire('mail', T0);
    assert.equal(await store.expireRetired(T0 + 3, 10), 2);
    const notice = await noticeOf(store, { id: first?.id, claims: 0 });
    const { reason, diedAt, handler: by } = parsed(notice ?? assert.fail('no notice')).payload;
    assert.deepEqual([reason, diedAt, by], ['expired', T0 + 3, 'mail']);
    assert.deepEqual(await fanOut(store), [DEAD_LETTER_TYPE, DEAD_LETTER_TYPE]);
  },
});
