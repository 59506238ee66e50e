import assert from 'node:assert/strict';
import type { ClaimedDelivery, DeliveryRecord, SettlementOutcome } from '../../store/records.js';
import { contractCases } from './contract-case.js';
import {
  append,
  claim,
  claimOne,
  COMPLETED,
  DEAD,
  event,
  eventIds,
  failure,
  HOUR,
  join,
  leased,
  names,
  only,
  settle,
  settlement,
  states,
  T0,
} from './scene.js';

/** The record without `durationMs`, of which the contract says nothing for some states. */
function outline({ durationMs: _durationMs, ...rest }: DeliveryRecord) {
  return rest;
}

export const settleCases = contractCases('settle', {
  'writes completed, duplicate and cancelled into history': async ({ store }) => {
    const node = await join(store);
    for (const outcome of ['completed', 'duplicate', 'cancelled'] as const) {
      await append(store, [event(outcome, ['mail'])]);
      const delivery = await claimOne(store, node);
      const written = { outcome, attempts: 3, durationMs: 42 } as const;
      assert.equal(await settle(store, node, delivery, written, T0 + 9), true);
      const record = await only(store, outcome);
      const { id } = delivery;
      const expected = { id, seq: delivery.event.seq, handler: 'mail', state: outcome, attempts: 3, availableAt: null };
      assert.deepEqual(outline(record), { ...expected, finishedAt: T0 + 9, reason: null, failures: [] });
      assert.equal(record.durationMs, 42);
    }
    assert.deepEqual(await store.backlog(), []);
  },

  'a retry charges an attempt, keeps the failure and waits': async ({ store }) => {
    const { node, delivery } = await leased(store);
    const retry = { outcome: 'retry', availableAt: T0 + 100, failure: failure(1) } as const;
    assert.equal(await settle(store, node, delivery, retry, T0 + 1), true);
    const { id } = delivery;
    assert.deepEqual(await only(store, 'e1'), {
      id,
      seq: delivery.event.seq,
      handler: 'mail',
      state: 'scheduled',
      attempts: 1,
      availableAt: T0 + 100,
      finishedAt: null,
      durationMs: null,
      reason: null,
      failures: [failure(1)],
    });
    await store.stage(T0 + 100, 10);
    const again = await claimOne(store, node);
    assert.deepEqual([again.id, again.attempts, again.crashes, again.claims], [id, 1, 0, 2]);
  },

  'failures add up in order, exactly as they were': async ({ store }) => {
    const { node, delivery } = await leased(store);
    const bare = {
      at: T0,
      attempt: 2,
      name: 'Error',
      message: 'line 1\nline 2 "quoted" \\ ‘ü’ \u0000',
      node: 'node-a',
    };
    const failures = [failure(1), bare, failure(3, { causes: [] })];
    let current = delivery;
    for (const one of failures.slice(0, 2)) {
      await settle(store, node, current, { outcome: 'retry', availableAt: T0 + 1, failure: one });
      await store.stage(T0 + 1, 1);
      current = await claimOne(store, node);
    }
    assert.deepEqual((await only(store, 'e1')).failures, failures.slice(0, 2));
    await settle(store, node, current, { outcome: 'dead', reason: 'exhausted', failure: failures[2] ?? null });
    const record = await only(store, 'e1');
    assert.deepEqual([record.attempts, record.failures], [3, failures]);
    await store.redrive({ ids: [record.id] }, 1, T0 + 2);
    await settle(store, node, await claimOne(store, node), { outcome: 'completed', attempts: 1, durationMs: 1 });
    const { state, failures: kept } = await only(store, 'e1');
    assert.deepEqual([state, kept], ['completed', failures]);
  },

  'a snooze waits and charges nothing': async ({ store }) => {
    const { node, delivery } = await leased(store);
    assert.equal(await settle(store, node, delivery, { outcome: 'snoozed', availableAt: T0 + HOUR }), true);
    const record = await only(store, 'e1');
    assert.deepEqual(
      [record.state, record.availableAt, record.attempts, record.failures],
      ['scheduled', T0 + HOUR, 0, []],
    );
    await store.stage(T0 + HOUR, 1);
    assert.equal((await claimOne(store, node)).attempts, 0);
  },

  'what is released can be claimed at once, and is charged nothing': async ({ store }) => {
    const { node, delivery } = await leased(store);
    assert.equal(await settle(store, node, delivery, { outcome: 'released' }), true);
    const record = await only(store, 'e1');
    assert.deepEqual([record.state, record.attempts, record.failures], ['pending', 0, []]);
    const again = await claimOne(store, node);
    assert.deepEqual([again.attempts, again.crashes], [0, 0]);
  },

  'what dies becomes a dead letter with its reason and failure': async ({ store }) => {
    const { node, delivery } = await leased(store);
    const dead = { outcome: 'dead', reason: 'rejected', failure: failure(1) } as const;
    assert.equal(await settle(store, node, delivery, dead, T0 + 7), true);
    const { id } = delivery;
    const record = await only(store, 'e1');
    const expected = { id, seq: delivery.event.seq, handler: 'mail', state: 'dead', attempts: 1, availableAt: null };
    const end = { finishedAt: T0 + 7, reason: 'rejected', failures: [failure(1)] };
    assert.deepEqual(outline(record), { ...expected, ...end });
    assert.deepEqual(await store.listDeadLetters({}, 10), [
      {
        id,
        handler: 'mail',
        reason: 'rejected',
        attempts: 1,
        failures: [failure(1)],
        diedAt: T0 + 7,
        event: await store.findEvent('e1'),
      },
    ]);
  },

  'dying without a failure charges no attempt: the crash before it was charged already': async ({ store }) => {
    const node = await join(store);
    const crashing = await join(store, ['mail'], 'node-b');
    await append(store, [event('e1', ['mail'])]);
    await claimOne(store, crashing);
    await store.removeNode(crashing, T0 + 3);
    const dead = { outcome: 'dead', reason: 'exhausted', failure: null } as const;
    assert.equal(await settle(store, node, await claimOne(store, node), dead), true);
    const record = await only(store, 'e1');
    assert.deepEqual([record.state, record.attempts, record.failures.length], ['dead', 1, 1]);
  },

  'a settlement whose lease does not hold is refused, and nothing changes': async ({ store }) => {
    const { node, delivery } = await leased(store);
    const other = await join(store, ['mail'], 'node-b');
    const before = await only(store, 'e1');
    const outcomes: SettlementOutcome[] = [
      COMPLETED,
      DEAD,
      { outcome: 'retry', availableAt: T0 + 1, failure: failure(1) },
      { outcome: 'snoozed', availableAt: T0 + 1 },
      { outcome: 'released' },
    ];
    for (const outcome of outcomes) {
      assert.equal(await settle(store, other, delivery, outcome), false, `another node, ${outcome.outcome}`);
      for (const claims of [delivery.claims - 1, delivery.claims + 1]) {
        const wrong = { ...delivery, claims };
        assert.equal(await settle(store, node, wrong, outcome), false, `wrong claims, ${outcome.outcome}`);
      }
      const unknown = { ...delivery, id: delivery.id + 1_000 };
      assert.equal(await settle(store, node, unknown, outcome), false, `unknown delivery, ${outcome.outcome}`);
    }
    assert.deepEqual(await only(store, 'e1'), before);
    assert.equal(await settle(store, node, delivery, COMPLETED), true);
  },

  'repeating a settlement is harmless': async ({ store }) => {
    const node = await join(store);
    const outcomes: SettlementOutcome[] = [
      COMPLETED,
      DEAD,
      { outcome: 'retry', availableAt: T0 + 1, failure: failure(1) },
      { outcome: 'snoozed', availableAt: T0 + 1 },
      { outcome: 'released' },
    ];
    for (const outcome of outcomes) {
      await append(store, [event(outcome.outcome, ['mail'])]);
      const delivery = await claimOne(store, node);
      assert.equal(await settle(store, node, delivery, outcome, T0 + 1), true);
      const after = await only(store, outcome.outcome);
      assert.equal(await settle(store, node, delivery, outcome, T0 + 2), false, outcome.outcome);
      assert.deepEqual(await only(store, outcome.outcome), after);
    }
    assert.equal(await store.countDeadLetters({}), 1);
  },

  'an old settlement is refused when the same node has claimed again': async ({ store }) => {
    const { node, delivery } = await leased(store);
    await settle(store, node, delivery, { outcome: 'snoozed', availableAt: T0 + 1 });
    await store.stage(T0 + 1, 1);
    const again = await claimOne(store, node);
    assert.equal(await settle(store, node, delivery, { outcome: 'snoozed', availableAt: T0 + 1 }), false);
    assert.equal(await settle(store, node, delivery, COMPLETED), false);
    assert.deepEqual(await states(store, 'e1'), ['mail processing']);
    assert.equal(await settle(store, node, again, COMPLETED), true);
  },

  'writes a mixed batch in one call, each answered in its place': async ({ store }) => {
    const node = await join(store);
    await append(
      store,
      names('e', 8).map((id) => event(id, ['mail'])),
    );
    const claimed = await claim(store, node);
    const [a, b, c, d, e, f, g, h] = claimed as [ClaimedDelivery, ...ClaimedDelivery[]] & { length: 8 };
    await settle(store, node, e, COMPLETED);
    const batch = [
      settlement(a, { outcome: 'released' }),
      settlement(b, DEAD),
      settlement(c, COMPLETED),
      settlement(d, { outcome: 'retry', availableAt: T0 + 1, failure: failure(1) }),
      settlement(e, COMPLETED),
      settlement(f, { outcome: 'snoozed', availableAt: T0 + 2 }),
      settlement(g, { outcome: 'duplicate', attempts: 0, durationMs: 0 }),
      { ...settlement(h, COMPLETED), claims: 99 },
    ];
    assert.deepEqual(await store.settle(node, batch, T0), [true, true, true, true, false, true, true, false]);
    const found = await Promise.all(names('e', 8).map(async (id) => (await only(store, id)).state));
    assert.deepEqual(found, [
      'pending',
      'dead',
      'completed',
      'scheduled',
      'completed',
      'scheduled',
      'duplicate',
      'processing',
    ]);
    assert.deepEqual(await store.settle(node, [], T0), []);
  },

  'a call that fails has written nothing': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('e1', ['mail']), event('e2', ['mail'])]);
    const [a, b] = (await claim(store, node)) as [ClaimedDelivery, ClaimedDelivery];
    const unreadable = {
      ...failure(1),
      get message(): string {
        throw new Error('this failure cannot be read');
      },
    };
    const retry = { outcome: 'retry', availableAt: T0 + 1, failure: unreadable } as const;
    await assert.rejects(store.settle(node, [settlement(a, COMPLETED), settlement(b, retry)], T0), /cannot be read/);
    assert.deepEqual(
      [await states(store, 'e1'), await states(store, 'e2')],
      [['mail processing'], ['mail processing']],
    );
    assert.equal(await settle(store, node, a, COMPLETED), true);
  },

  'settles a batch of 1,000': async ({ store }) => {
    const node = await join(store);
    await append(
      store,
      names('e', 1_000).map((id) => event(id, ['mail'])),
    );
    const claimed = await claim(store, node, 1_000);
    const batch = claimed.map((delivery, index) => settlement(delivery, index % 10 === 0 ? DEAD : COMPLETED));
    assert.deepEqual(
      await store.settle(node, batch, T0),
      batch.map(() => true),
    );
    const letters = await store.listDeadLetters({}, 1_000);
    assert.equal(letters.length, 100);
    const expected = eventIds(claimed).filter((_, index) => index % 10 === 0);
    assert.deepEqual(letters.map((letter) => letter.event.id).toReversed(), expected);
    const backlog = { handler: 'mail', pending: 0, scheduled: 0, processing: 0, dead: 100, oldestPendingAt: null };
    assert.deepEqual(await store.backlog(), [backlog]);
  },
});
