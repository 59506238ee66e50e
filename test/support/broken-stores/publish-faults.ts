import type { AppendRequest } from '../../../libs/events/src/store/inbox.store.js';
import type { NewEvent } from '../../../libs/events/src/store/records.js';
import type { MemoryDatabase } from '../../../libs/events/src/store/memory/memory-database.js';
import type { Fault } from './fault.js';

/** The request with every event changed. */
function each(request: AppendRequest, change: (event: NewEvent) => NewEvent): AppendRequest {
  return { ...request, events: request.events.map(change) };
}

/** The request as if it had been made from the current registry. */
function current<T extends { readonly registryVersion: number }>(request: T, database: MemoryDatabase): T {
  return { ...request, registryVersion: database.registry.version };
}

/** Faults of append, fan-out and transactions. */
export const publishFaults: readonly Fault[] = [
  {
    fault: 'stores an id again',
    caughtBy: 'append: ignores an id that the inbox has, and the first stays as it was',
    verbs: (store, database) => ({
      append: (request, manager) => {
        for (const { id } of request.events) database.eventsById.delete(id);
        return store.append(request, manager);
      },
    }),
  },
  {
    fault: 'says of duplicates that they were stored',
    caughtBy: 'append: of one id twice in a call the first wins',
    verbs: (store) => ({
      append: async (request, manager) => {
        const result = await store.append(request, manager);
        return { ...result, stored: result.stored.map(() => true) };
      },
    }),
  },
  {
    fault: 'lets the last of one id in a call win',
    caughtBy: 'append: of one id twice in a call the first wins',
    verbs: (store) => ({
      append: async (request, manager) => {
        const result = await store.append({ ...request, events: request.events.toReversed() }, manager);
        return { ...result, stored: result.stored.toReversed() };
      },
    }),
  },
  {
    fault: 'claims before it has stored',
    caughtBy: 'append: may claim with its commit: older deliveries first, then those that it has brought',
    verbs: (store) => ({
      append: async ({ claim, ...request }, manager) => {
        const claimed = claim && (await store.claim(claim));
        return { ...(await store.append(request, manager)), claimed };
      },
    }),
  },
  {
    fault: 'stores nothing when the node that would claim is gone',
    caughtBy: 'append: stores the events although the node that would claim with them is gone',
    verbs: (store, database) => ({
      append: (request, manager) => {
        const isGone = request.claim && !database.nodes.has(request.claim.node);
        return store.append(isGone ? { ...request, events: [] } : request, manager);
      },
    }),
  },
  {
    fault: 'fans out from a registry that has moved on',
    caughtBy: 'append: stores events raw when the registry has moved on',
    verbs: (store, database) => ({ append: (request, manager) => store.append(current(request, database), manager) }),
  },
  {
    fault: 'delivers delayed events at once',
    caughtBy: 'append: a moment later than now makes scheduled deliveries, one that has come pending ones',
    verbs: (store) => ({
      append: (request, manager) =>
        store.append(
          each(request, (event) => ({ ...event, availableAt: null })),
          manager,
        ),
    }),
  },
  {
    fault: 'leaves events that nobody subscribes to raw',
    caughtBy: 'append: an event that nobody subscribes to counts as fanned out',
    verbs: (store, database) => ({
      append: async (request, manager) => {
        const result = await store.append(request, manager);
        for (const row of database.eventsById.values()) if (row.deliveries.size === 0) database.raw.add(row);
        return result;
      },
    }),
  },
  {
    fault: 'appends one event after the other',
    caughtBy: 'append: a call that fails has stored nothing',
    verbs: (store) => ({
      append: async (request, manager) => {
        const stored: boolean[] = [];
        for (const event of request.events) {
          stored.push(...(await store.append({ ...request, events: [event] }, manager)).stored);
        }
        return { stored, fannedOut: (await store.append({ ...request, events: [] }, manager)).fannedOut };
      },
    }),
  },
  {
    fault: 'does not serialise events of one ordering key',
    caughtBy: 'append: events of one key get their seq in commit order: the later append waits',
    verbs: (store) => ({
      append: (request, manager) =>
        store.append(
          each(request, (event) => ({ ...event, orderingKey: null })),
          manager,
        ),
    }),
  },
  {
    fault: 'appends on a connection of its own instead of the transaction',
    caughtBy: 'transaction: a rollback leaves nothing, and the error comes out as it is',
    verbs: (store) => ({ append: (request) => store.append(request) }),
  },
  {
    fault: 'loses what a transaction appended',
    caughtBy: 'transaction: a commit stores what was appended, and answers what the work answered',
    verbs: (store, database) => ({
      transaction: (work) =>
        store.transaction(async (manager) => {
          const answer = await work(manager);
          database.transactions.get(manager)?.changes.splice(0);
          return answer;
        }),
    }),
  },
  {
    fault: 'wraps the error of a transaction',
    caughtBy: 'transaction: a rollback leaves nothing, and the error comes out as it is',
    verbs: (store) => ({
      transaction: async (work) => {
        try {
          return await store.transaction(work);
        } catch (cause) {
          throw new Error('the transaction failed', { cause });
        }
      },
    }),
  },
  {
    fault: 'does not hold the id that an open transaction appends',
    caughtBy: 'transaction: an id that an open transaction holds is a duplicate once that commits',
    verbs: (store, database) => ({
      append: async (request, manager) => {
        const result = await store.append(request, manager);
        const transaction = manager && database.transactions.get(manager);
        if (transaction) database.locks.release(transaction);
        return result;
      },
    }),
  },
  {
    fault: 'calls back before the commit',
    caughtBy: 'transaction: callbacks run once after the commit, not before',
    verbs: () => ({ afterCommit: (_manager, callback) => callback() }),
  },
  {
    fault: 'calls back twice',
    caughtBy: 'transaction: callbacks run once after the commit, not before',
    verbs: (store) => ({
      afterCommit: (manager, callback) => {
        store.afterCommit(manager, callback);
        store.afterCommit(manager, callback);
      },
    }),
  },
  {
    fault: 'calls back after a rollback',
    caughtBy: 'transaction: callbacks never run after a rollback',
    verbs: (store, database) => ({
      transaction: (work) =>
        store.transaction(async (manager) => {
          try {
            return await work(manager);
          } catch (error) {
            for (const callback of database.transactions.get(manager)?.callbacks ?? []) callback();
            throw error;
          }
        }),
    }),
  },
  {
    fault: 'accepts the manager of a transaction that has ended',
    caughtBy: 'transaction: the manager is good while its transaction is open, and refused when that has ended',
    verbs: () => ({ checkManager: () => {} }),
  },
  {
    fault: 'fans an event out twice',
    caughtBy: 'fan-out: makes the deliveries of raw events, and the events are raw no longer',
    verbs: (store, database) => ({
      fanOut: async (request) => {
        const raw = [...database.raw];
        const result = await store.fanOut(request);
        for (const row of raw) database.raw.add(row);
        return result;
      },
    }),
  },
  {
    fault: 'fans out after a pause, so that two do it',
    caughtBy: 'fan-out: fans each event out once, however many stores ask at once',
    verbs: (store, database) => ({
      fanOut: async (request) => {
        const raw = [...database.raw];
        await new Promise((resolve) => setImmediate(resolve));
        for (const row of raw) database.raw.add(row);
        return store.fanOut(request);
      },
    }),
  },
  {
    fault: 'fans out what the registry no longer says',
    caughtBy: 'fan-out: does nothing when the registry has moved on, and says so',
    verbs: (store, database) => ({ fanOut: (request) => store.fanOut(current(request, database)) }),
  },
  {
    fault: 'forgets the delay of a raw event',
    caughtBy: "fan-out: keeps the event's delay, and its end",
    verbs: (store) => ({ fanOut: (request) => store.fanOut({ ...request, now: Infinity }) }),
  },
  {
    fault: 'names each unhandled type once',
    caughtBy: 'fan-out: names the types that matched no handler, one entry an event, and owes them nothing more',
    verbs: (store) => ({
      fanOut: async (request) => {
        const result = await store.fanOut(request);
        return { ...result, unhandled: [...new Set(result.unhandled)] };
      },
    }),
  },
  {
    fault: 'fans out without a limit',
    caughtBy: 'fan-out: takes the oldest events up to the limit',
    verbs: (store) => ({ fanOut: (request) => store.fanOut({ ...request, limit: Infinity }) }),
  },
  {
    fault: 'parses payloads and writes them anew',
    caughtBy: 'values: payloads come back to the character',
    verbs: (store) => ({
      append: (request, manager) =>
        store.append(
          each(request, (event) => ({ ...event, payload: JSON.stringify(JSON.parse(event.payload)) })),
          manager,
        ),
    }),
  },
  {
    fault: 'trims ids',
    caughtBy: 'values: event ids compare exactly',
    verbs: (store) => ({
      append: (request, manager) =>
        store.append(
          each(request, (event) => ({ ...event, id: event.id.trimEnd() })),
          manager,
        ),
    }),
  },
  {
    fault: 'takes ids of another case for the same',
    caughtBy: 'values: event ids compare exactly',
    verbs: (store) => ({
      append: (request, manager) =>
        store.append(
          each(request, (event) => ({ ...event, id: event.id.toLowerCase() })),
          manager,
        ),
      findEvent: (id) => store.findEvent(id.toLowerCase()),
    }),
  },
  {
    fault: 'cuts ids at 254 characters',
    caughtBy: 'values: ids, types, handlers and keys may have 255 characters',
    verbs: (store) => ({
      append: (request, manager) =>
        store.append(
          each(request, (event) => ({ ...event, id: event.id.slice(0, 254) })),
          manager,
        ),
      findEvent: (id) => store.findEvent(id.slice(0, 254)),
    }),
  },
];
