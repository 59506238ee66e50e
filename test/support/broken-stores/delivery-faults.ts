import type { ClaimedDelivery, Settlement } from '../../../libs/events/src/store/records.js';
import type { MemoryDatabase } from '../../../libs/events/src/store/memory/memory-database.js';
import type { MemoryStore } from '../../../libs/events/src/store/memory/memory-store.js';
import type { Fault } from './fault.js';

/** A settle that changes the rows of those settlements that it wrote. */
function settling(
  touch: (settlement: Settlement, database: MemoryDatabase) => void,
): (store: MemoryStore, database: MemoryDatabase) => Pick<MemoryStore, 'settle'> {
  return (store, database) => ({
    settle: async (node, settlements, now) => {
      const written = await store.settle(node, settlements, now);
      for (const [index, settlement] of settlements.entries()) if (written[index]) touch(settlement, database);
      return written;
    },
  });
}

/** Faults of stage, claim and settle. */
export const deliveryFaults: readonly Fault[] = [
  {
    fault: 'stages a millisecond early',
    caughtBy: 'stage: makes pending what is due, to the millisecond, and tells when the next is',
    verbs: (store) => ({ stage: (now, limit) => store.stage(now + 1, limit) }),
  },
  {
    fault: 'stages without a limit',
    caughtBy: 'stage: takes the earliest up to the limit; what remains due is told as the next',
    verbs: (store) => ({ stage: (now) => store.stage(now, Infinity) }),
  },
  {
    fault: 'does not tell when the next is due',
    caughtBy: 'stage: makes pending what is due, to the millisecond, and tells when the next is',
    verbs: (store) => ({ stage: async (now, limit) => ({ ...(await store.stage(now, limit)), nextDueAt: null }) }),
  },
  {
    fault: 'passes over what comes after the place to begin at, too',
    caughtBy: 'claim: takes all that comes after the place it is told to begin at, and with no place all there is',
    verbs: (store) => ({
      claim: (request) => store.claim({ ...request, wants: request.wants.filter(({ after }) => after === undefined) }),
    }),
  },
  {
    fault: 'does not raise claims',
    caughtBy: 'claim: claims grows by one at every claim and is never taken back',
    verbs: (store, database) => ({
      claim: async (request) => {
        const claimed = await store.claim(request);
        for (const { id } of claimed ?? []) (database.live.get(id) as { claims: number }).claims = 1;
        return claimed && claimed.map((one) => ({ ...one, claims: 1 }));
      },
    }),
  },
  {
    fault: 'claims in order of age, whatever the priority',
    caughtBy: 'claim: takes lower priorities first, then older deliveries, and answers in that order',
    verbs: (store) => ({
      append: (request, manager) => {
        const flat = (event: (typeof request.events)[number]) =>
          event.deliveries.map((to) => ({ ...to, priority: 50 }));
        const events = request.events.map((event) => ({ ...event, deliveries: flat(event) }));
        return store.append({ ...request, events }, manager);
      },
    }),
  },
  {
    fault: 'fills the limit handler by handler',
    caughtBy: 'claim: the best of all handlers go first when the limit binds',
    verbs: (store) => ({
      claim: async (request) => {
        const claimed: ClaimedDelivery[] = [];
        for (const want of request.wants) {
          const limit = Math.min(want.limit, request.limit - claimed.length);
          claimed.push(...((await store.claim({ ...request, wants: [want], limit })) ?? []));
        }
        return claimed;
      },
    }),
  },
  {
    fault: "ignores the handlers' own limits",
    caughtBy: 'claim: takes no more of a handler than it is asked for, and nothing of handlers not asked for',
    verbs: (store) => ({
      claim: (request) => store.claim({ ...request, wants: request.wants.map((want) => ({ ...want, limit: 1_000 })) }),
    }),
  },
  {
    fault: 'takes a suspect although none may be taken',
    caughtBy: 'claim: takes at most one suspect, and none when it may not',
    verbs: (store) => ({ claim: (request) => store.claim({ ...request, suspect: true }) }),
  },
  {
    fault: 'takes one suspect of each handler',
    caughtBy: 'claim: takes at most one suspect over all handlers, and innocents beside it',
    verbs: (store) => ({
      claim: async (request) => {
        const answers = request.wants.map((want) => store.claim({ ...request, wants: [want] }));
        return (await Promise.all(answers)).flatMap((claimed) => claimed ?? []);
      },
    }),
  },
  {
    fault: 'answers an empty claim to a node that is gone',
    caughtBy: 'claim: refuses a node that is not registered, and leases nothing',
    verbs: (store) => ({ claim: async (request) => (await store.claim(request)) ?? [] }),
  },
  {
    fault: 'leases what is leased already',
    caughtBy: 'claim: two stores that claim 2,000 deliveries at once never share one',
    verbs: (store, database) => ({
      claim: async (request) => {
        const claimed = await store.claim(request);
        const [row] = (claimed ?? []).map(({ id }) => database.live.get(id));
        if (row) database.writeOutcome(row, { outcome: 'released' }, null, 0);
        return claimed;
      },
    }),
  },
  {
    fault: 'sends large payloads along',
    caughtBy: 'claim: leaves payloads over 64 KiB out, and they can be read by seq',
    verbs: (store) => ({
      claim: async (request) => {
        const withPayload = async (one: ClaimedDelivery) => ({
          ...one,
          event: { ...one.event, payload: await store.payload(one.event.seq) },
        });
        const claimed = await store.claim(request);
        return claimed && Promise.all(claimed.map(withPayload));
      },
    }),
  },
  {
    fault: 'settles without a fence',
    caughtBy: 'settle: a settlement whose lease does not hold is refused, and nothing changes',
    verbs: (store, database) => ({
      settle: async (_node, settlements, now) => {
        const answers = settlements.map((one) => {
          const row = database.live.get(one.id);
          return store.settle(row?.leaseNode ?? 0, [{ ...one, claims: row?.claims ?? 0 }], now);
        });
        return (await Promise.all(answers)).flat();
      },
    }),
  },
  {
    fault: 'fences by the node alone',
    caughtBy: 'settle: an old settlement is refused when the same node has claimed again',
    verbs: (store, database) => ({
      settle: (node, settlements, now) =>
        store.settle(
          node,
          settlements.map((one) => ({ ...one, claims: database.live.get(one.id)?.claims ?? one.claims })),
          now,
        ),
    }),
  },
  {
    fault: 'says of lost leases that they were settled',
    caughtBy: 'settle: repeating a settlement is harmless',
    verbs: (store) => ({
      settle: async (node, settlements, now) => (await store.settle(node, settlements, now)).map(() => true),
    }),
  },
  {
    fault: 'settles one after the other',
    caughtBy: 'settle: a call that fails has written nothing',
    verbs: (store) => ({
      settle: async (node, settlements, now) => {
        const written: boolean[] = [];
        for (const one of settlements) written.push(...(await store.settle(node, [one], now)));
        return written;
      },
    }),
  },
  {
    fault: 'charges an attempt for a snooze',
    caughtBy: 'settle: a snooze waits and charges nothing',
    verbs: settling((settlement, database) => {
      const row = database.live.get(settlement.id);
      if (row && settlement.outcome === 'snoozed') row.attempts++;
    }),
  },
  {
    fault: 'charges an attempt for a release',
    caughtBy: 'settle: what is released can be claimed at once, and is charged nothing',
    verbs: settling((settlement, database) => {
      const row = database.live.get(settlement.id);
      if (row && settlement.outcome === 'released') row.attempts++;
    }),
  },
  {
    fault: 'charges no attempt for a failure',
    caughtBy: 'settle: a retry charges an attempt, keeps the failure and waits',
    verbs: settling((settlement, database) => {
      const row = database.live.get(settlement.id);
      if (row && settlement.outcome === 'retry') row.attempts--;
    }),
  },
  {
    fault: 'keeps the last failure only',
    caughtBy: 'settle: failures add up in order, exactly as they were',
    verbs: settling((settlement, database) => {
      const row = database.live.get(settlement.id) ?? database.dead.get(settlement.id);
      if (row) row.failures = row.failures.slice(-1);
    }),
  },
  {
    fault: 'retries at once',
    caughtBy: 'stage: retries and snoozes wait for their own moments',
    verbs: settling((settlement, database) => {
      const row = database.live.get(settlement.id);
      if (row && settlement.outcome === 'retry') database.stage(row);
    }),
  },
  {
    fault: 'completes without history',
    caughtBy: 'settle: writes completed, duplicate and cancelled into history',
    verbs: settling((settlement, database) => {
      const row = database.history.get(settlement.id);
      if (row) database.forget(row);
    }),
  },
  {
    fault: 'gives every dead letter one reason',
    caughtBy: 'settle: what dies becomes a dead letter with its reason and failure',
    verbs: (store) => ({
      settle: (node, settlements, now) =>
        store.settle(
          node,
          settlements.map((one) => (one.outcome === 'dead' ? { ...one, reason: 'exhausted' } : one)),
          now,
        ),
    }),
  },
  {
    fault: 'settles before the transaction commits',
    caughtBy: 'settle in a transaction: a rollback leaves the lease as it was',
    verbs: (store) => ({
      settleIn: async (_manager, node, settlement, now) => (await store.settle(node, [settlement], now))[0] ?? false,
    }),
  },
  {
    fault: 'settles in a transaction without a fence',
    caughtBy: 'settle in a transaction: answers false for a lease that is lost',
    verbs: (store) => ({
      settleIn: async (manager, node, settlement, now) => {
        await store.settleIn(manager, node, settlement, now);
        return true;
      },
    }),
  },
  {
    fault: 'does not keep the row locked until the transaction ends',
    caughtBy: 'settle in a transaction: a cancel meanwhile waits, and comes too late after the commit',
    verbs: (store, database) => ({
      settleIn: async (manager, node, settlement, now) => {
        const written = await store.settleIn(manager, node, settlement, now);
        const transaction = database.transactions.get(manager);
        if (transaction) database.locks.release(transaction);
        return written;
      },
    }),
  },
];
