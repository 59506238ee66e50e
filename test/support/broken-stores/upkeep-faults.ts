import { nodeLost } from '../../../libs/events/src/store/memory/end-leases.js';
import type { DeliveryRow } from '../../../libs/events/src/store/memory/memory-rows.js';
import type { Fault } from './fault.js';

/** Faults of nodes, registry, dead letters, prune and backlog. */
export const upkeepFaults: readonly Fault[] = [
  {
    fault: 'gives the id of a node that is gone again',
    caughtBy: 'nodes: never gives an id again, also not that of a node that is gone',
    verbs: (store, database) => ({
      registerNode: async (node, now) => {
        const id = await store.registerNode(node, now);
        const record = database.nodes.get(id);
        database.nodes.delete(id);
        const reused = Math.max(0, ...database.nodes.keys()) + 1;
        if (record) database.nodes.set(reused, { ...record, id: reused });
        return reused;
      },
    }),
  },
  {
    fault: 'lets a node that is gone beat',
    caughtBy: 'nodes: tells a node that it is gone by its beat',
    verbs: (store) => ({
      beat: async (node) => {
        await store.beat(node);
        return true;
      },
    }),
  },
  {
    fault: 'beats without raising the counter',
    caughtBy: 'nodes: each beat raises the counter of its node by one',
    verbs: (_store, database) => ({ beat: (node) => Promise.resolve(database.nodes.has(node)) }),
  },
  {
    fault: 'removes a node that has beaten since',
    caughtBy: 'nodes: a removal that is fenced by a beat does nothing once the node has beaten',
    verbs: (store) => ({ removeNode: (node, now) => store.removeNode(node, now) }),
  },
  {
    fault: 'charges no crash',
    caughtBy: 'nodes: a removed node gives its deliveries back, each charged with the crash',
    verbs: (store, database) => ({
      removeNode: async (node, now, beat) => {
        for (const row of database.live.values()) {
          if (row.leaseNode === node) database.writeOutcome(row, { outcome: 'released' }, null, now);
        }
        return store.removeNode(node, now, beat);
      },
    }),
  },
  {
    fault: 'charges the crash as an attempt, so that nobody is a suspect',
    caughtBy: 'nodes: every crash is charged',
    verbs: (store, database) => ({
      removeNode: async (node, now, beat) => {
        const removed = await store.removeNode(node, now, beat);
        for (const row of database.live.values()) {
          row.attempts += row.crashes;
          row.crashes = 0;
        }
        return removed;
      },
    }),
  },
  {
    fault: 'charges a crash to all that is pending',
    caughtBy: 'nodes: deliveries of other nodes, and those that wait, are charged nothing',
    verbs: (store, database) => ({
      removeNode: async (node, now, beat) => {
        for (const row of database.live.values()) if (row.state === 'pending') row.leaseNode = node;
        return store.removeNode(node, now, beat);
      },
    }),
  },
  {
    fault: 'leaves the leases of a removed node',
    caughtBy: 'nodes: a late settlement of a removed node is refused',
    verbs: (_store, database) => ({ removeNode: (node) => Promise.resolve(database.nodes.delete(node)) }),
  },
  {
    fault: 'rescues no orphans',
    caughtBy: 'orphans: leases of nodes that are not registered end as if the node had been removed',
    verbs: () => ({ rescueOrphans: () => Promise.resolve(0) }),
  },
  {
    fault: 'rescues what living nodes run',
    caughtBy: 'orphans: leases of nodes that are not registered end as if the node had been removed',
    verbs: (_store, database) => ({
      rescueOrphans: async (now) => {
        const leased = [...database.live.values()].filter((row) => row.leaseNode !== null);
        for (const row of leased) database.takeBack(row, nodeLost(row, 'somebody', now));
        return leased.length;
      },
    }),
  },
  {
    fault: 'raises the version with every announcement',
    caughtBy: 'registry: the version stays when nothing changes, whoever announces it',
    verbs: (store, database) => ({
      registerHandlers: async (node, handlers, now) => {
        await store.registerHandlers(node, handlers, now);
        database.registry.version++;
      },
    }),
  },
  {
    fault: 'never raises the version',
    caughtBy:
      'registry: the version is raised by each change of a pattern, of a priority, of ordering, and by a new handler',
    verbs: (store, database) => ({
      registerHandlers: async (node, handlers, now) => {
        await store.registerHandlers(node, handlers, now);
        database.registry.version = 1;
      },
    }),
  },
  {
    fault: 'keeps the first priority of a handler',
    caughtBy:
      'registry: the version is raised by each change of a pattern, of a priority, of ordering, and by a new handler',
    verbs: (store) => ({
      registerHandlers: (node, handlers, now) =>
        store.registerHandlers(
          node,
          handlers.map((handler) => ({ ...handler, priority: 50 })),
          now,
        ),
    }),
  },
  {
    fault: 'lets one node overwrite the patterns of another',
    caughtBy: "registry: a handler's patterns are the union over the nodes that have it",
    verbs: (store, database) => ({
      registerHandlers: async (node, handlers, now) => {
        for (const other of database.nodes.keys()) {
          if (other !== node) await store.registerHandlers(other, [], now);
        }
        return store.registerHandlers(node, handlers, now);
      },
    }),
  },
  {
    fault: 'ends subscriptions with the last node that had them',
    caughtBy: 'registry: a subscription outlives the last node that had it',
    verbs: (store) => ({
      removeNode: async (node, now, beat) => {
        await store.registerHandlers(node, [], now);
        return store.removeNode(node, now, beat);
      },
    }),
  },
  {
    fault: 'lists every page from the start',
    caughtBy: 'dead letters: come in pages, newest first',
    verbs: (store) => ({ listDeadLetters: (query, limit) => store.listDeadLetters(query, limit) }),
  },
  {
    fault: 'finds letters that died at the end of the period',
    caughtBy: 'dead letters: are found by every condition and by all of them together',
    verbs: (store) => ({
      listDeadLetters: ({ until, ...query }, limit, before) =>
        store.listDeadLetters(until === undefined ? query : { ...query, until: until + 1 }, limit, before),
    }),
  },
  {
    fault: 'takes an empty list of ids for no condition',
    caughtBy: 'dead letters: are found by every condition and by all of them together',
    verbs: (store) => ({
      listDeadLetters: ({ ids, ...query }, limit, before) =>
        store.listDeadLetters(ids?.length ? { ...query, ids } : query, limit, before),
    }),
  },
  {
    fault: 'resets claims with a redrive',
    caughtBy:
      'dead letters: a redriven delivery is pending with fresh attempts, and keeps its id, its failures and its claims',
    verbs: (store, database) => ({
      redrive: async (query, limit, now, pace) => {
        const ids = await store.redrive(query, limit, now, pace);
        for (const id of ids) (database.live.get(id) as DeliveryRow).claims = 0;
        return ids;
      },
    }),
  },
  {
    fault: 'drops the failures with a redrive',
    caughtBy: 'dead letters: a delivery can die again, and its failures go on adding up',
    verbs: (store, database) => ({
      redrive: async (query, limit, now, pace) => {
        const ids = await store.redrive(query, limit, now, pace);
        for (const id of ids) (database.live.get(id) as DeliveryRow).failures = [];
        return ids;
      },
    }),
  },
  {
    fault: 'keeps the crashes of a redriven delivery',
    caughtBy: 'dead letters: a redriven suspect is one no longer',
    verbs: (store, database) => ({
      redrive: async (query, limit, now, pace) => {
        const crashes = new Map([...database.dead].map(([id, row]) => [id, row.crashes]));
        const ids = await store.redrive(query, limit, now, pace);
        for (const id of ids) (database.live.get(id) as DeliveryRow).crashes = crashes.get(id) ?? 0;
        return ids;
      },
    }),
  },
  {
    fault: 'redrives without a limit',
    caughtBy: 'dead letters: redrive takes what the query finds, the oldest up to the limit',
    verbs: (store) => ({ redrive: (query, _limit, now, pace) => store.redrive(query, Infinity, now, pace) }),
  },
  {
    fault: 'answers the letters that it wanted to redrive, not those that it did',
    caughtBy: 'dead letters: of two that redrive at once each letter is redriven by one',
    verbs: (store) => ({
      redrive: async (query, limit, now, pace) => {
        const wanted = (await store.listDeadLetters(query, limit)).map((letter) => letter.id);
        await store.redrive(query, limit, now, pace);
        return wanted;
      },
    }),
  },
  {
    fault: 'discards only in the answer',
    caughtBy: 'dead letters: discard deletes for good what the query finds, the oldest up to the limit',
    verbs: (store) => ({
      discard: async (query, limit) => (await store.listDeadLetters(query, limit)).map((letter) => letter.id),
    }),
  },
  {
    fault: 'prunes what finished at the moment',
    caughtBy: 'prune: history goes when it finished before the moment, not at it',
    verbs: (store) => ({
      prune: (request) => store.prune({ ...request, completedBefore: request.completedBefore + 1 }),
    }),
  },
  {
    fault: 'prunes unfinished work',
    caughtBy: 'prune: unfinished work is never pruned',
    verbs: (store, database) => ({
      prune: async (request) => {
        for (const row of database.live.values()) {
          if (row.event.stored.receivedAt < request.completedBefore) database.cancel(row, 0);
        }
        return store.prune(request);
      },
    }),
  },
  {
    fault: 'prunes raw events',
    caughtBy: 'prune: unfinished work is never pruned',
    verbs: (store, database) => ({
      prune: (request) => {
        database.raw.clear();
        return store.prune(request);
      },
    }),
  },
  {
    fault: 'prunes events that deliveries still need',
    caughtBy: 'prune: an event stays while one of its deliveries is unfinished',
    verbs: (store, database) => ({
      prune: async (request) => {
        const pruned = await store.prune(request);
        for (const row of database.eventsById.values()) database.forgetEvent(row);
        return pruned;
      },
    }),
  },
  {
    fault: 'prunes dead letters with history',
    caughtBy: 'prune: dead letters go when they died before their own moment, and their event stays as long',
    verbs: (store) => ({ prune: (request) => store.prune({ ...request, deadBefore: request.completedBefore }) }),
  },
  {
    fault: 'prunes without a limit',
    caughtBy: 'prune: takes at most its limit of each table a call, and 0 means done',
    verbs: (store) => ({ prune: (request) => store.prune({ ...request, limit: Infinity }) }),
  },
  {
    fault: 'counts what waits for its time as pending',
    caughtBy: 'backlog: counts live and dead deliveries of each handler that has any',
    verbs: (store) => ({
      backlog: async () =>
        (await store.backlog()).map((one) => ({ ...one, pending: one.pending + one.scheduled, scheduled: 0 })),
    }),
  },
  {
    fault: 'tells itself of work',
    caughtBy: 'life cycle: a notice is heard by the others, if by anybody, and not by the one that sent it',
    verbs: (_store, database) => ({
      notify: async (topic) => {
        for (const listeners of database.listeners.values()) for (const listener of listeners) listener(topic);
      },
    }),
  },
];
