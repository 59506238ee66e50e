import { nodeLost } from '../../../libs/events/src/store/memory/end-leases.js';
import type { AppendRequest } from '../../../libs/events/src/store/inbox.store.js';
import type { NewEvent } from '../../../libs/events/src/store/records.js';
import type { Fault } from './fault.js';

function each(request: AppendRequest, change: (event: NewEvent) => NewEvent): AppendRequest {
  return { ...request, events: request.events.map(change) };
}

/** Faults at the edges: of nothing, of the unknown, of odd and many values. */
export const edgeFaults: readonly Fault[] = [
  {
    fault: 'does not say what it is',
    caughtBy: 'life cycle: says which database it is',
    verbs: () => ({ description: '' }),
  },
  {
    fault: 'tells the time in fractions',
    caughtBy: 'life cycle: a ping answers with the time, in whole milliseconds',
    verbs: (store) => ({ ping: async () => (await store.ping()) + 0.5 }),
  },
  {
    fault: 'gives ids below zero',
    caughtBy: 'append: ids are positive safe integers',
    verbs: (store) => ({
      findDeliveries: async (id) => (await store.findDeliveries(id)).map((one) => ({ ...one, id: -one.id })),
    }),
  },
  {
    fault: 'thinks that nothing cannot be fanned out',
    caughtBy: 'append: appends nothing when it is given nothing',
    verbs: (store) => ({
      append: async (request, manager) => {
        const result = await store.append(request, manager);
        return { ...result, fannedOut: result.fannedOut && request.events.length > 0 };
      },
    }),
  },
  {
    fault: 'makes up a payload for an event that is gone',
    caughtBy: 'append: knows no event, no deliveries and no payload of what is not there',
    verbs: (store) => ({ payload: async (seq) => (await store.payload(seq)) ?? '' }),
  },
  {
    fault: 'owes events that were fanned out when they were appended',
    caughtBy: 'fan-out: leaves alone what was fanned out when it was appended',
    verbs: (store, database) => ({
      append: async (request, manager) => {
        const result = await store.append(request, manager);
        for (const row of database.eventsById.values()) database.raw.add(row);
        return result;
      },
    }),
  },
  {
    fault: 'says that something is due when nothing is',
    caughtBy: 'stage: says that nothing is scheduled',
    verbs: (store) => ({
      stage: async (now, limit) => {
        const { staged, nextDueAt } = await store.stage(now, limit);
        return { staged, nextDueAt: nextDueAt ?? now };
      },
    }),
  },
  {
    fault: 'takes an empty list of wants for all handlers',
    caughtBy: 'claim: answers nothing to a claim that wants nothing',
    verbs: (store) => ({
      claim: (request) =>
        store.claim(request.wants.length === 0 ? { ...request, wants: [{ handler: 'mail', limit: 10 }] } : request),
    }),
  },
  {
    fault: 'forgets where a node runs',
    caughtBy: 'nodes: keeps who a node is',
    verbs: (store) => ({ registerNode: (node, now) => store.registerNode({ ...node, host: '', pid: 0 }, now) }),
  },
  {
    fault: 'removes nodes that are not there',
    caughtBy: 'nodes: removing a node that is not there answers false',
    verbs: (store, database) => ({
      removeNode: async (node, now, beat) => !database.nodes.has(node) || store.removeNode(node, now, beat),
    }),
  },
  {
    fault: 'takes what nobody has leased for orphaned',
    caughtBy: 'orphans: there are none where nothing is leased',
    verbs: (_store, database) => ({
      rescueOrphans: async (now) => {
        const rows = [...database.live.values()].filter((row) => !database.nodes.has(row.leaseNode ?? 0));
        for (const row of rows) database.takeBack(row, nodeLost(row, 'nobody', now));
        return rows.length;
      },
    }),
  },
  {
    fault: 'lists a handler that nobody announced',
    caughtBy: 'registry: begins empty',
    verbs: (store) => ({
      loadRegistry: async () => {
        const { version, handlers } = await store.loadRegistry();
        const ghost = { name: 'ghost', priority: 50, ordered: false, paused: false, patterns: [] };
        return { version, handlers: [...handlers, ghost] };
      },
    }),
  },
  {
    fault: 'loses what is announced while another announces',
    caughtBy: 'registry: nodes that announce at once all come to be seen',
    verbs: (store, database) => ({
      registerHandlers: async (node, handlers, now) => {
        const before = database.registry.version;
        await new Promise((resolve) => setImmediate(resolve));
        if (database.registry.version === before) await store.registerHandlers(node, handlers, now);
      },
    }),
  },
  {
    fault: 'parses headers and writes them anew',
    caughtBy: 'values: headers come back to the character',
    verbs: (store) => ({
      append: (request, manager) => {
        const anew = (headers: string) => JSON.stringify(JSON.parse(headers));
        const rewritten = (event: NewEvent) => ({ ...event, headers: event.headers && anew(event.headers) });
        return store.append(each(request, rewritten), manager);
      },
    }),
  },
  {
    fault: 'stops at 100 handlers an event',
    caughtBy: 'values: an event may have many handlers',
    verbs: (store) => ({
      append: (request, manager) => {
        const fewer = (event: NewEvent) => ({ ...event, deliveries: event.deliveries.slice(0, 100) });
        return store.append(each(request, fewer), manager);
      },
    }),
  },
  {
    fault: 'tells since when the newest raw event waits',
    caughtBy: 'fan-out: tells how many events are raw, and since when',
    verbs: (store, database) => ({
      unprocessed: async () => {
        const oldestReceivedAt = [...database.raw].at(-1)?.stored.receivedAt ?? null;
        return { ...(await store.unprocessed()), oldestReceivedAt };
      },
    }),
  },
];
