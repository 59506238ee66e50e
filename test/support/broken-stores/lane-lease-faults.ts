import { nodeLost } from '../../../libs/events/src/store/memory/end-leases.js';
import type { MemoryDatabase } from '../../../libs/events/src/store/memory/memory-database.js';
import type { Fault } from './fault.js';
import { parkAll } from './lane-faults.js';

function chargeAll(database: MemoryDatabase, node: number | undefined, now: number): number {
  const leased = [...database.live.values()].filter(
    (row) => row.leaseNode !== null && row.leaseNode === (node ?? row.leaseNode),
  );
  for (const row of leased) database.takeBack(row, nodeLost(row, 'node-a', now));
  return leased.length;
}

/** Faults of lanes whose leases end otherwise than by a settle, and of what else changes them. */
export const laneLeaseFaults: readonly Fault[] = [
  {
    fault: 'charges the crash to a whole run',
    caughtBy:
      'lanes and leases: of a run of a removed node only the first is charged; it is a run by itself, and the lane goes on behind it',
    verbs: (store, database) => ({
      removeNode: async (node, now, beat) => {
        chargeAll(database, node, now);
        return store.removeNode(node, now, beat);
      },
    }),
  },
  {
    fault: 'charges orphans all alike',
    caughtBy: 'lanes and leases: orphans of a run are charged in the same way',
    verbs: (_store, database) => ({ rescueOrphans: async (now) => chargeAll(database, undefined, now) }),
  },
  {
    fault: 'passes over a suspect in its lane',
    caughtBy: 'lanes and leases: a suspect that may not be claimed keeps its lane waiting, and no other',
    verbs: (store, database) => ({
      claim: async (request) => {
        const suspects = request.suspect ? [] : [...database.live.values()].filter((row) => row.crashes > 0);
        for (const row of suspects) database.lanes.leave(row);
        const claimed = await store.claim(request);
        for (const row of suspects) database.lanes.enter(row);
        return claimed;
      },
    }),
  },
  {
    fault: 'wakes nobody for a cancelled delivery',
    caughtBy: 'lanes and leases: a cancelled delivery is passed over, wherever in the lane it stands',
    verbs: (store, database) => ({
      cancel: async (id, now) => {
        const cancelled = await store.cancel(id, now);
        parkAll(database);
        return cancelled;
      },
    }),
  },
  {
    fault: 'wakes nobody when a transaction has committed',
    caughtBy: 'lanes and leases: a lane goes on by the commit of a transaction that completes its head, and not before',
    verbs: (store, database) => ({
      transaction: async (work) => {
        const answer = await store.transaction(work);
        parkAll(database);
        return answer;
      },
    }),
  },
  {
    fault: 'lets the lane go on before the transaction has ended',
    caughtBy: 'lanes and leases: a lane waits on after a rollback of what would have completed its head',
    verbs: (store, database) => ({
      settleIn: async (manager, node, settlement, now) => {
        const written = await store.settleIn(manager, node, settlement, now);
        const row = database.live.get(settlement.id);
        if (row) database.lanes.leave(row);
        return written;
      },
    }),
  },
  {
    fault: 'answers runs backwards',
    caughtBy: 'lanes and leases: settles, cancels and claims at once never leave a lane without a way on',
    verbs: (store) => ({ claim: async (request) => (await store.claim(request))?.toReversed() ?? null }),
  },
  {
    fault: 'tries deliveries of one lane together',
    caughtBy: 'lanes and leases: trials of a half-open circuit keep to lanes',
    verbs: (store, database) => ({
      claimTrials: async (request) => {
        const row = database.registry.get(request.handler);
        if (row) row.ordered = false;
        const claimed = await store.claimTrials(request);
        if (row) row.ordered = true;
        return claimed;
      },
    }),
  },
  {
    fault: 'claims from lanes of handlers that rest',
    caughtBy: 'lanes and leases: a paused handler, one whose circuit is open and a retired one have no lanes to claim',
    verbs: (store, database) => ({
      claim: (request) => {
        for (const row of database.registry.all()) row.paused = false;
        return store.claim(request);
      },
    }),
  },
  {
    fault: 'leaves lanes behind when a handler is adopted',
    caughtBy: 'lanes and leases: an adopted lane goes on under the new name, in its order',
    verbs: (store, database) => ({
      registerHandlers: async (node, handlers, now) => {
        await store.registerHandlers(node, handlers, now);
        const adopters = handlers.filter((one) => one.aliases?.length).map((one) => one.name);
        for (const row of database.live.values()) if (adopters.includes(row.handler)) database.unorder(row);
      },
    }),
  },
  {
    fault: 'keeps lanes for an adopter that has none',
    caughtBy: 'lanes and leases: an adopter that is not ordered has no lanes',
    verbs: (store, database) => ({
      registerHandlers: async (node, handlers, now) => {
        await store.registerHandlers(node, handlers, now);
        for (const row of database.live.values()) row.parked = handlers.some((one) => one.aliases?.length);
      },
    }),
  },
  {
    fault: 'blocks nothing by what has expired',
    caughtBy:
      'lanes and leases: expired deliveries block their lane when the handler comes back, until they are redriven',
    verbs: (store, database) => ({
      expireRetired: async (now, limit) => {
        const count = await store.expireRetired(now, limit);
        for (const row of database.dead.values()) database.unblock(row);
        return count;
      },
    }),
  },
  {
    fault: 'wakes nobody for an expired delivery',
    caughtBy: 'lanes and leases: an expired delivery lets a lane that skips go on',
    verbs: (store, database) => ({
      expireRetired: async (now, limit) => {
        const count = await store.expireRetired(now, limit);
        parkAll(database);
        return count;
      },
    }),
  },
];
