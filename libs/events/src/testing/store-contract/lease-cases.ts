import assert from 'node:assert/strict';
import type { SettlementOutcome } from '../../store/records.js';
import { contractCases } from './contract-case.js';
import {
  append,
  claim,
  claimOne,
  COMPLETED,
  DEAD,
  event,
  failure,
  join,
  leased,
  names,
  only,
  openTransaction,
  settle,
  settlement,
  startMeanwhile,
  states,
  T0,
} from './scene.js';

export const settleInCases = contractCases('settle in a transaction', {
  'every outcome is written by the commit': async ({ store }) => {
    const node = await join(store);
    const outcomes: [SettlementOutcome, string][] = [
      [COMPLETED, 'mail completed'],
      [DEAD, 'mail dead'],
      [{ outcome: 'retry', availableAt: T0 + 1, failure: failure(1) }, 'mail scheduled'],
      [{ outcome: 'snoozed', availableAt: T0 + 1 }, 'mail scheduled'],
      [{ outcome: 'released' }, 'mail pending'],
    ];
    for (const [outcome, state] of outcomes) {
      await append(store, [event(outcome.outcome, ['mail'])]);
      const delivery = await claimOne(store, node);
      const write = settlement(delivery, outcome);
      assert.equal(await store.transaction((manager) => store.settleIn(manager, node, write, T0 + 4)), true);
      assert.deepEqual(await states(store, outcome.outcome), [state]);
      assert.equal(await settle(store, node, delivery, COMPLETED), false, 'the lease is spent');
    }
    const completed = await only(store, 'completed');
    assert.deepEqual([completed.attempts, completed.durationMs, completed.finishedAt], [1, 12, T0 + 4]);
  },

  'a rollback leaves the lease as it was': async ({ store }) => {
    const { node, delivery } = await leased(store);
    const rolledBack = store.transaction(async (manager) => {
      assert.equal(await store.settleIn(manager, node, settlement(delivery, COMPLETED), T0), true);
      throw new Error('no');
    });
    await assert.rejects(rolledBack, /^Error: no$/);
    assert.deepEqual(await states(store, 'e1'), ['mail processing']);
    assert.deepEqual(await store.lostLeases(node, [delivery]), []);
    assert.equal(await settle(store, node, delivery, COMPLETED), true);
  },

  'answers false for a lease that is lost': async ({ store }) => {
    const { node, delivery } = await leased(store);
    const other = await join(store, ['mail'], 'node-b');
    const settleIn = (as: number, claims: number) =>
      store.transaction((manager) => store.settleIn(manager, as, { ...settlement(delivery, COMPLETED), claims }, T0));
    assert.equal(await settleIn(other, delivery.claims), false);
    assert.equal(await settleIn(node, delivery.claims + 1), false);
    assert.deepEqual(await states(store, 'e1'), ['mail processing']);
    await store.cancel(delivery.id, T0);
    assert.equal(await settleIn(node, delivery.claims), false);
    assert.deepEqual(await states(store, 'e1'), ['mail cancelled']);
  },

  'a cancel meanwhile waits, and comes too late after the commit': async ({ store, another }) => {
    const { node, delivery } = await leased(store);
    const other = await another();
    const open = await openTransaction(store, (manager) =>
      store.settleIn(manager, node, settlement(delivery, COMPLETED), T0),
    );
    const cancelled = await startMeanwhile(() => other.cancel(delivery.id, T0));
    await open.commit();
    assert.deepEqual([open.result, await cancelled.done], [true, false]);
    assert.deepEqual(await states(store, 'e1'), ['mail completed']);
  },

  'a cancel meanwhile waits, and takes effect after a rollback': async ({ store, another }) => {
    const { node, delivery } = await leased(store);
    const other = await another();
    const open = await openTransaction(store, (manager) =>
      store.settleIn(manager, node, settlement(delivery, COMPLETED), T0),
    );
    const cancelled = await startMeanwhile(() => other.cancel(delivery.id, T0));
    await open.rollBack();
    assert.deepEqual([open.result, await cancelled.done], [true, true]);
    assert.deepEqual(await states(store, 'e1'), ['mail cancelled']);
  },

  'a rescue meanwhile does not run the delivery again': async ({ store, another }) => {
    const { node, delivery } = await leased(store);
    const other = await another();
    const open = await openTransaction(store, (manager) =>
      store.settleIn(manager, node, settlement(delivery, COMPLETED), T0),
    );
    const removed = await startMeanwhile(() => other.removeNode(node, T0));
    await open.commit();
    assert.deepEqual([open.result, await removed.done], [true, true]);
    assert.deepEqual(await states(store, 'e1'), ['mail completed']);
  },
});

export const leaseCases = contractCases('lost leases', {
  'none is lost while it is held': async ({ store }) => {
    const node = await join(store);
    await append(
      store,
      names('e', 3).map((id) => event(id, ['mail'])),
    );
    assert.deepEqual(await store.lostLeases(node, await claim(store, node)), []);
    assert.deepEqual(await store.lostLeases(node, []), []);
  },

  'a lease is lost once it is settled, cancelled, claimed anew, of another node, or of nothing': async ({ store }) => {
    const node = await join(store);
    const other = await join(store, ['mail'], 'node-b');
    await append(
      store,
      names('e', 6).map((id) => event(id, ['mail'])),
    );
    const own = await claim(store, node, 4);
    const [settled, cancelled, renewed, held] = own as [(typeof own)[0], ...typeof own] & { length: 4 };
    const foreign = await claimOne(store, other);
    await settle(store, node, settled, COMPLETED);
    await store.cancel(cancelled?.id, T0);
    await settle(store, node, renewed, { outcome: 'released' });
    const again = await claimOne(store, node);
    assert.equal(again.id, renewed?.id);
    const nothing = { id: foreign.id + 1_000, claims: 1 };
    const lost = await store.lostLeases(node, [...own, foreign, again, nothing]);
    const expected = [settled.id, cancelled?.id, renewed?.id, foreign.id, nothing.id];
    assert.deepEqual(
      lost.toSorted((a, b) => a - b),
      expected,
    );
    assert.ok(!lost.includes(held?.id));
  },

  'all leases of a removed node are lost': async ({ store }) => {
    const { node, delivery } = await leased(store);
    await store.removeNode(node, T0);
    assert.deepEqual(await store.lostLeases(node, [delivery]), [delivery.id]);
  },
});

export const heldLeaseCases = contractCases('held leases', {
  'are those that the node has claimed, and has not settled or lost': async ({ store }) => {
    const node = await join(store);
    const other = await join(store, ['mail'], 'node-b');
    await append(
      store,
      names('e', 6).map((id) => event(id, ['mail'])),
    );
    assert.deepEqual(await store.heldLeases(node), []);
    const [settled, cancelled, held, again] = await claim(store, node, 4);
    await claimOne(store, other);
    assert.ok(settled && cancelled && held && again);
    await settle(store, node, settled, COMPLETED);
    await store.cancel(cancelled.id, T0);
    await settle(store, node, again, { outcome: 'snoozed', availableAt: T0 + 1, rateSlot: T0 + 1 });
    await store.stage(T0 + 1, 10);
    const back = await claimOne(store, node);
    assert.equal(back.id, again.id);
    const leases = await store.heldLeases(node);
    assert.deepEqual(
      leases.toSorted((a, b) => a.id - b.id),
      [held, back].map(({ id, claims, handler, rateSlot, event }) => ({
        id,
        claims,
        handler,
        seq: event.seq,
        rateSlot,
      })),
    );
  },

  'are none of a node that was removed': async ({ store }) => {
    const { node } = await leased(store);
    await store.removeNode(node, T0);
    assert.deepEqual(await store.heldLeases(node), []);
  },
});

export const cancelCases = contractCases('cancel', {
  'takes out a pending delivery': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('e1', ['mail'])]);
    const { id } = await only(store, 'e1');
    assert.equal(await store.cancel(id, T0 + 3), true);
    const record = await only(store, 'e1');
    assert.deepEqual([record.id, record.state, record.attempts, record.finishedAt], [id, 'cancelled', 0, T0 + 3]);
    assert.deepEqual(await claim(store, node), []);
    assert.deepEqual(await store.backlog(), []);
  },

  'takes out a scheduled delivery, and history counts its attempts': async ({ store }) => {
    const { node, delivery } = await leased(store);
    await settle(store, node, delivery, { outcome: 'retry', availableAt: T0 + 1, failure: failure(1) });
    assert.equal(await store.cancel(delivery.id, T0), true);
    const record = await only(store, 'e1');
    assert.deepEqual([record.state, record.attempts, record.availableAt], ['cancelled', 1, null]);
    assert.deepEqual(await store.stage(T0 + 1, 10), { staged: 0, nextDueAt: null });
    assert.deepEqual(await claim(store, node), []);
  },

  'takes out a delivery that is running, and the run loses its lease': async ({ store }) => {
    const { node, delivery } = await leased(store);
    assert.equal(await store.cancel(delivery.id, T0), true);
    assert.deepEqual(await store.lostLeases(node, [delivery]), [delivery.id]);
    assert.equal(await settle(store, node, delivery, COMPLETED), false);
    assert.deepEqual(await states(store, 'e1'), ['mail cancelled']);
  },

  'answers false for what is not live, and changes nothing': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('done', ['mail']), event('dead', ['mail']), event('cancelled', ['mail'])]);
    const [done, dead, cancelled] = await claim(store, node);
    assert.ok(done && dead && cancelled);
    await settle(store, node, done, COMPLETED);
    await settle(store, node, dead, DEAD);
    await store.cancel(cancelled.id, T0);
    for (const id of [done.id, dead.id, cancelled.id, cancelled.id + 1_000]) {
      assert.equal(await store.cancel(id, T0 + 9), false);
    }
    assert.deepEqual(
      [await states(store, 'done'), await states(store, 'dead'), (await only(store, 'cancelled')).finishedAt],
      [['mail completed'], ['mail dead'], T0],
    );
  },

  'leaves the other deliveries of the event alone': async ({ store }) => {
    await join(store, ['mail', 'ledger']);
    await append(store, [event('e1', ['mail', 'ledger'])]);
    const [mail] = await store.findDeliveries('e1');
    assert.equal(await store.cancel(mail?.id, T0), true);
    assert.deepEqual(await states(store, 'e1'), ['mail cancelled', 'ledger pending']);
  },

  'of a cancel and a settle at once, one wins': async ({ store, another }) => {
    const node = await join(store);
    const other = await another();
    const ids = names('e', 30);
    await append(
      store,
      ids.map((id) => event(id, ['mail'])),
    );
    const claimed = await claim(store, node, ids.length);
    for (const [index, delivery] of claimed.entries()) {
      const [settled, cancelled] = await Promise.all([
        settle(store, node, delivery, COMPLETED),
        other.cancel(delivery.id, T0),
      ]);
      assert.equal(Number(settled) + Number(cancelled), 1);
      assert.deepEqual(await states(store, ids[index]), [settled ? 'mail completed' : 'mail cancelled']);
    }
  },
});
