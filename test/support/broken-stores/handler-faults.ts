import type { MemoryDatabase } from '../../../libs/events/src/store/memory/memory-database.js';
import type { HandlerRow } from '../../../libs/events/src/store/memory/memory-handlers.js';
import type { Fault } from './fault.js';

/** What `step` answers while every handler looks like this; what it does is done before it first waits. */
async function pretending<T>(
  database: MemoryDatabase,
  fields: Partial<Pick<HandlerRow, 'paused' | 'retiredAt' | 'adoptedBy'>>,
  step: () => Promise<T>,
): Promise<T> {
  const before = database.registry.all().map((row) => ({ row, kept: { ...row } }));
  for (const { row } of before) Object.assign(row, fields);
  const answer = step();
  for (const { row, kept } of before) Object.assign(row, kept);
  return answer;
}

/** Faults of handlers: what is told of them, and pauses. */
export const handlerFaults: readonly Fault[] = [
  {
    fault: 'tells the state of a handler that nobody announced',
    caughtBy: 'handlers: there are none at first',
    verbs: (store) => ({
      handlerStates: async () => {
        const circuit = { state: 'closed', epoch: 0, openedAt: null, successes: 0 } as const;
        return [...(await store.handlerStates()), { name: 'ghost', paused: false, ordered: false, circuit }];
      },
    }),
  },
  {
    fault: 'tells states in an order of its own',
    caughtBy: 'handlers: states come by name, and every store tells the same',
    verbs: (store) => ({ handlerStates: async () => (await store.handlerStates()).toReversed() }),
  },
  {
    fault: 'lists one node of each handler',
    caughtBy: 'handlers: are listed with what operators want to know',
    verbs: (store) => ({
      listHandlers: async () => (await store.listHandlers()).map((one) => ({ ...one, nodes: one.nodes.slice(0, 1) })),
    }),
  },
  {
    fault: 'lists no patterns of handlers whose nodes are gone',
    caughtBy: 'handlers: are listed without nodes once the last is gone, and keep its patterns',
    verbs: (store) => ({
      listHandlers: async () =>
        (await store.listHandlers()).map((one) => (one.nodes.length > 0 ? one : { ...one, patterns: [] })),
    }),
  },
  {
    fault: 'lets an announcement end a pause',
    caughtBy: 'handlers: announced anew, keep their pause, their circuit and when they were first seen',
    verbs: (store) => ({
      registerHandlers: async (node, handlers, now) => {
        await store.registerHandlers(node, handlers, now);
        for (const { name } of handlers) await store.setPaused(name, false);
      },
    }),
  },
  {
    fault: 'claims of paused handlers',
    caughtBy: 'handlers: a paused one is claimed by nobody until it is let go again',
    verbs: (store, database) => ({
      claim: (request) => pretending(database, { paused: false }, () => store.claim(request)),
    }),
  },
  {
    fault: 'ends the leases of a handler that is paused',
    caughtBy: 'handlers: what was leased before a pause is settled as ever',
    verbs: (store, database) => ({
      setPaused: (handler, paused) => {
        for (const row of database.live.values()) {
          const ends = paused && row.handler === handler && row.state === 'processing';
          if (ends) database.writeOutcome(row, { outcome: 'released' }, null, 0);
        }
        return store.setPaused(handler, paused);
      },
    }),
  },
  {
    fault: 'keeps pauses from the registry',
    caughtBy: 'handlers: the registry tells which are paused',
    verbs: (store) => ({
      loadRegistry: async () => {
        const { version, handlers } = await store.loadRegistry();
        return { version, handlers: handlers.map((one) => ({ ...one, paused: false })) };
      },
    }),
  },
  {
    fault: 'says that it has paused a handler that is not there',
    caughtBy: 'handlers: one that is not there cannot be paused',
    verbs: (store) => ({
      setPaused: async (handler, paused) => {
        await store.setPaused(handler, paused);
        return true;
      },
    }),
  },
  {
    fault: 'touches handlers that nobody has',
    caughtBy: 'handlers: a touch remembers when live nodes had theirs, and is never taken back',
    verbs: (_store, database) => ({
      touchHandlers: (now) => {
        for (const row of database.registry.all()) row.lastSeen = Math.max(row.lastSeen, now);
        return Promise.resolve();
      },
    }),
  },
];

/** Faults of retirement and adoption. */
export const retireFaults: readonly Fault[] = [
  {
    fault: 'retires without raising the version',
    caughtBy: 'retirement: a retired handler gets nothing new, and the version is raised',
    verbs: (store, database) => ({
      retire: async (handler, now) => {
        const { version } = database.registry;
        const retired = await store.retire(handler, now);
        database.registry.version = version;
        return retired;
      },
    }),
  },
  {
    fault: 'claims of retired handlers',
    caughtBy: 'retirement: a retired handler is not claimed, what it runs is settled as ever',
    verbs: (store, database) => ({
      claim: (request) => pretending(database, { retiredAt: null }, () => store.claim(request)),
    }),
  },
  {
    fault: 'retires again what has retired',
    caughtBy: 'retirement: one that is not there or retired already cannot be retired',
    verbs: (store, database) => ({
      retire: (handler, now) => {
        const row = database.registry.get(handler);
        if (row) row.retiredAt = null;
        return store.retire(handler, now);
      },
    }),
  },
  {
    fault: 'retires for good',
    caughtBy: 'retirement: announcing it brings it back',
    verbs: (store, database) => ({
      registerHandlers: async (node, handlers, now) => {
        const retired = database.registry.all().map((row) => ({ row, retiredAt: row.retiredAt }));
        await store.registerHandlers(node, handlers, now);
        for (const { row, retiredAt } of retired) row.retiredAt = retiredAt ?? row.retiredAt;
      },
    }),
  },
  {
    fault: 'retires what was seen at the moment',
    caughtBy: 'retirement: handlers that no live node has retire when they were last seen before the moment',
    verbs: (store) => ({ retireAbsent: (before, now) => store.retireAbsent(before + 1, now) }),
  },
  {
    fault: 'retires handlers that a live node has',
    caughtBy: 'retirement: handlers that no live node has retire when they were last seen before the moment',
    verbs: (_store, database) => ({
      retireAbsent: (before, now) => {
        const old = database.registry.all().filter((row) => row.retiredAt === null && row.lastSeen < before);
        database.registry.retire(old, now);
        return Promise.resolve(old.map((row) => row.name));
      },
    }),
  },
  {
    fault: 'expires without a limit',
    caughtBy: 'retirement: what waits for a retired handler becomes dead letters, expired, the oldest first',
    verbs: (store) => ({ expireRetired: (now) => store.expireRetired(now, Infinity) }),
  },
  {
    fault: 'expires what is running',
    caughtBy: 'retirement: what a retired handler still runs expires when it has been given back',
    verbs: (store, database) => ({
      expireRetired: (now, limit) => {
        for (const row of database.live.values()) {
          const isRetired = database.registry.get(row.handler)?.retiredAt !== null;
          if (isRetired && row.state === 'processing') database.writeOutcome(row, { outcome: 'released' }, null, now);
        }
        return store.expireRetired(now, limit);
      },
    }),
  },
  {
    fault: 'adopts the name and nothing that it has',
    caughtBy: "adoption: an alias retires, and all it has that is not history is the new handler's",
    verbs: (store, database) => ({
      registerHandlers: async (node, handlers, now) => {
        const owners = [...database.live.values(), ...database.dead.values()].map((row) => [row, row.handler] as const);
        await store.registerHandlers(node, handlers, now);
        for (const [row, owner] of owners) database.rename(row, owner);
      },
    }),
  },
  {
    fault: 'adopts no keys',
    caughtBy: 'adoption: idempotency keys come along, and a run that is under way ends its own',
    verbs: (store, database) => ({
      registerHandlers: async (node, handlers, now) => {
        await store.registerHandlers(node, handlers, now);
        for (const { name, aliases = [] } of handlers) for (const alias of aliases) database.keys.adopt(name, alias);
      },
    }),
  },
  {
    fault: 'adopts what the node announces too',
    caughtBy: 'adoption: an alias that the node announces itself keeps what it has',
    verbs: (store) => ({
      registerHandlers: async (node, handlers, now) => {
        for (const handler of handlers) await store.registerHandlers(node, [handler], now);
        await store.registerHandlers(node, handlers, now);
      },
    }),
  },
  {
    fault: 'raises the version with every adoption',
    caughtBy: 'adoption: an alias that nobody knows is nothing, and adopting again changes nothing',
    verbs: (store, database) => ({
      registerHandlers: async (node, handlers, now) => {
        await store.registerHandlers(node, handlers, now);
        if (handlers.some((one) => one.aliases)) database.registry.version++;
      },
    }),
  },
  {
    fault: 'forgets who has adopted a handler',
    caughtBy: "adoption: what comes for an adopted handler later becomes the adopter's",
    verbs: (store, database) => ({
      expireRetired: (now, limit) => pretending(database, { adoptedBy: null }, () => store.expireRetired(now, limit)),
    }),
  },
  {
    fault: 'gives what a handler has to its adopter although it has come back',
    caughtBy: 'adoption: an adopted handler that is announced again is a handler of its own',
    verbs: (store, database) => ({
      expireRetired: (now, limit) => {
        for (const row of database.live.values()) {
          const heir = database.registry.get(row.handler)?.adoptedBy;
          if (heir) database.rename(row, heir);
        }
        return store.expireRetired(now, limit);
      },
    }),
  },
];
