import type { HeldLease } from '../../../libs/events/src/store/records.js';
import type { Fault } from './fault.js';

/** Faults of leases and of cancel. */
export const leaseFaults: readonly Fault[] = [
  {
    fault: 'knows of no lost lease',
    caughtBy: 'lost leases: all leases of a removed node are lost',
    verbs: () => ({ lostLeases: () => Promise.resolve([]) }),
  },
  {
    fault: 'thinks every lease lost',
    caughtBy: 'lost leases: none is lost while it is held',
    verbs: () => ({ lostLeases: (_node, leases) => Promise.resolve(leases.map((lease) => lease.id)) }),
  },
  {
    fault: 'knows of no lease that a node holds',
    caughtBy: 'held leases: are those that the node has claimed, and has not settled or lost',
    verbs: () => ({ heldLeases: () => Promise.resolve([]) }),
  },
  {
    fault: 'remembers leases of a node that was removed',
    caughtBy: 'held leases: are none of a node that was removed',
    verbs: (store) => {
      const seen = new Map<number, HeldLease[]>();
      return {
        async heldLeases(node) {
          return seen.get(node) ?? store.heldLeases(node);
        },
        async removeNode(node, ...rest) {
          seen.set(node, await store.heldLeases(node));
          return store.removeNode(node, ...rest);
        },
      };
    },
  },
  {
    fault: 'cancels without taking the delivery out',
    caughtBy: 'cancel: takes out a pending delivery',
    verbs: (_store, database) => ({ cancel: (id) => Promise.resolve(database.live.has(id)) }),
  },
  {
    fault: 'cancels without history',
    caughtBy: 'cancel: takes out a scheduled delivery, and history counts its attempts',
    verbs: (store, database) => ({
      cancel: async (id, now) => {
        const cancelled = await store.cancel(id, now);
        const row = database.history.get(id);
        if (row) database.forget(row);
        return cancelled;
      },
    }),
  },
  {
    fault: 'refuses to cancel a delivery that is running',
    caughtBy: 'cancel: takes out a delivery that is running, and the run loses its lease',
    verbs: (store, database) => ({
      cancel: (id, now) => (database.live.get(id)?.leaseNode === null ? store.cancel(id, now) : Promise.resolve(false)),
    }),
  },
  {
    fault: 'cancels dead letters',
    caughtBy: 'cancel: answers false for what is not live, and changes nothing',
    verbs: (store, database) => ({
      cancel: (id, now) => {
        const row = database.dead.get(id);
        if (row) database.revive(row, now);
        return store.cancel(id, now);
      },
    }),
  },
];
