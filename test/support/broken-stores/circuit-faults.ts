import type { MemoryDatabase } from '../../../libs/events/src/store/memory/memory-database.js';
import type { HandlerRow } from '../../../libs/events/src/store/memory/memory-handlers.js';
import type { Fault } from './fault.js';

function rowOf(database: MemoryDatabase, handler: string): HandlerRow {
  return database.registry.get(handler) as HandlerRow;
}

/** The epoch that the handler's circuit is in, whatever the caller has seen; of none that is not there. */
function currentEpoch(database: MemoryDatabase, handler: string): number {
  return database.registry.get(handler)?.circuit.epoch ?? 0;
}

const pause = () => new Promise((resolve) => setImmediate(resolve));

/** Faults of circuits and of the claims that heed them. */
export const circuitFaults: readonly Fault[] = [
  {
    fault: 'opens the circuits of new handlers',
    caughtBy: 'circuit: begins closed',
    verbs: (store, database) => ({
      registerHandlers: async (node, handlers, now) => {
        const known = new Set(database.registry.all().map((row) => row.name));
        await store.registerHandlers(node, handlers, now);
        for (const row of database.registry.all()) {
          if (!known.has(row.name)) row.circuit = { ...row.circuit, state: 'open', openedAt: now };
        }
      },
    }),
  },
  {
    fault: 'does not tell since when a circuit is open',
    caughtBy: 'circuit: opens, half-opens and closes, each in an epoch of its own, and all stores see it',
    verbs: (store, database) => ({
      changeCircuit: async (handler, epoch, to, now) => {
        const change = await store.changeCircuit(handler, epoch, to, now);
        const row = database.registry.get(handler);
        if (row) row.circuit = { ...row.circuit, openedAt: null };
        return change && { ...change, circuit: { ...change.circuit, openedAt: null } };
      },
    }),
  },
  {
    fault: 'changes circuits whatever epoch the caller has seen',
    caughtBy: 'circuit: what was seen in another epoch changes nothing, and is answered with the circuit as it is',
    verbs: (store, database) => ({
      changeCircuit: (handler, _epoch, to, now) =>
        store.changeCircuit(handler, currentEpoch(database, handler), to, now),
    }),
  },
  {
    fault: 'compares epochs before a pause, so that several change one',
    caughtBy: 'circuit: of ten callers at once with one epoch exactly one changes it',
    verbs: (store, database) => ({
      changeCircuit: async (handler, epoch, to, now) => {
        const isCurrent = epoch === currentEpoch(database, handler);
        await pause();
        return store.changeCircuit(handler, isCurrent ? currentEpoch(database, handler) : epoch, to, now);
      },
    }),
  },
  {
    fault: 'needs one trial more than it was told',
    caughtBy: 'circuit: counts trials that succeed, and the last that it needs closes it',
    verbs: (store) => ({ countTrial: (handler, epoch, threshold) => store.countTrial(handler, epoch, threshold + 1) }),
  },
  {
    fault: 'counts trials of any epoch',
    caughtBy: 'circuit: counts no trial of another epoch, nor of a circuit that is not half-open',
    verbs: (store, database) => ({
      countTrial: (handler, _epoch, threshold) => store.countTrial(handler, currentEpoch(database, handler), threshold),
    }),
  },
  {
    fault: 'counts from what it read before a pause',
    caughtBy: 'circuit: of trials counted at once none is forgotten, and one closes it',
    verbs: (store, database) => ({
      countTrial: async (handler, epoch, threshold) => {
        const successes = database.registry.get(handler)?.circuit.successes ?? 0;
        await pause();
        const row = database.registry.get(handler);
        if (row?.circuit.state === 'half-open') row.circuit = { ...row.circuit, successes };
        return store.countTrial(handler, epoch, threshold);
      },
    }),
  },
  {
    fault: 'takes the successes of an epoch into the next',
    caughtBy: 'circuit: a circuit that half-opens again counts from nothing',
    verbs: (store, database) => ({
      changeCircuit: async (handler, epoch, to, now) => {
        const row = database.registry.get(handler);
        const successes = row?.circuit.successes ?? 0;
        const change = await store.changeCircuit(handler, epoch, to, now);
        if (row) row.circuit = { ...row.circuit, successes };
        return change;
      },
    }),
  },
  {
    fault: 'has one circuit for all handlers',
    caughtBy: 'circuit: each handler has its own, and one that is not there has none',
    verbs: (store, database) => ({
      changeCircuit: async (handler, epoch, to, now) => {
        const change = await store.changeCircuit(handler, epoch, to, now);
        for (const row of database.registry.all()) row.circuit = change?.circuit ?? row.circuit;
        return change;
      },
    }),
  },
  {
    fault: 'claims without heeding circuits',
    caughtBy: 'circuit: a claim that heeds circuits takes nothing of a handler whose circuit is not closed',
    verbs: (store) => ({
      claim: (request) =>
        store.claim({ ...request, wants: request.wants.map((want) => ({ ...want, circuit: false })) }),
    }),
  },
  {
    fault: 'heeds circuits unasked',
    caughtBy: 'circuit: a claim that does not heed circuits takes what it wants',
    verbs: (store) => ({
      claim: (request) => store.claim({ ...request, wants: request.wants.map((want) => ({ ...want, circuit: true })) }),
    }),
  },
];

/** Faults of trials. */
export const trialFaults: readonly Fault[] = [
  {
    fault: 'leases one trial at a time',
    caughtBy: 'trials: are the best that wait, as many as may be, leased like any delivery',
    verbs: (store) => ({ claimTrials: (request) => store.claimTrials({ ...request, most: 1 }) }),
  },
  {
    fault: 'counts the trials of each node by themselves',
    caughtBy: 'trials: are never more than may be, however many nodes ask at once',
    verbs: (store, database) => ({
      claimTrials: (request) => {
        const { trials } = rowOf(database, request.handler);
        for (const id of trials) if (database.live.get(id)?.leaseNode !== request.node) trials.delete(id);
        return store.claimTrials(request);
      },
    }),
  },
  {
    fault: 'counts trials that have ended',
    caughtBy: 'trials: one that has ended makes room for another, whatever came of it',
    verbs: (store, database) => ({
      claimTrials: async (request) => {
        const before = [...(database.registry.get(request.handler)?.trials ?? [])];
        const ended = before.filter((id) => database.live.get(id)?.state !== 'processing');
        const claimed = await store.claimTrials({ ...request, most: request.most - ended.length });
        for (const id of ended) database.registry.get(request.handler)?.trials.add(id);
        return claimed;
      },
    }),
  },
  {
    fault: 'forgets the trials that it leased before',
    caughtBy: 'trials: that of a node that died can be leased again, and counts once',
    verbs: (store, database) => ({
      claimTrials: (request) => {
        database.registry.get(request.handler)?.trials.clear();
        return store.claimTrials(request);
      },
    }),
  },
  {
    fault: 'takes a suspect for a trial although none may be taken',
    caughtBy: 'trials: hold one suspect at most, and none when none may be',
    verbs: (store) => ({ claimTrials: (request) => store.claimTrials({ ...request, suspect: true }) }),
  },
  {
    fault: 'leases trials of any epoch',
    caughtBy: 'trials: there are none in another epoch, nor of a circuit that is not half-open, nor of nobody',
    verbs: (store, database) => ({
      claimTrials: (request) => store.claimTrials({ ...request, epoch: currentEpoch(database, request.handler) }),
    }),
  },
  {
    fault: 'leases trials of a handler that is paused',
    caughtBy: 'trials: there are none of a handler that is paused or retired',
    verbs: (store, database) => ({
      claimTrials: (request) => {
        const row = database.registry.get(request.handler);
        if (row) row.paused = false;
        return store.claimTrials(request);
      },
    }),
  },
  {
    fault: 'answers that there are no trials to a node that is gone',
    caughtBy: 'trials: are refused to a node that is not registered',
    verbs: (store) => ({ claimTrials: async (request) => (await store.claimTrials(request)) ?? [] }),
  },
  {
    fault: 'counts the trials of an earlier epoch',
    caughtBy: 'trials: of an earlier epoch do not count',
    verbs: (store, database) => ({
      changeCircuit: async (handler, epoch, to, now) => {
        const trials = [...(database.registry.get(handler)?.trials ?? [])];
        const change = await store.changeCircuit(handler, epoch, to, now);
        for (const id of trials) rowOf(database, handler).trials.add(id);
        return change;
      },
    }),
  },
];
