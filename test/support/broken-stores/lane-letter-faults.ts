import type { MemoryDatabase } from '../../../libs/events/src/store/memory/memory-database.js';
import type { DeliveryRow } from '../../../libs/events/src/store/memory/memory-rows.js';
import type { HandlerRegistration } from '../../../libs/events/src/store/records.js';
import type { Fault } from './fault.js';
import { parkAll } from './lane-faults.js';

function unblockAll(database: MemoryDatabase): void {
  for (const row of database.dead.values()) database.unblock(row);
}

/** Handlers are announced as something else than they are. */
function announcing(change: Partial<HandlerRegistration>): Fault['verbs'] {
  return (store) => ({
    registerHandlers: (node, handlers, now) =>
      store.registerHandlers(
        node,
        handlers.map((one) => ({ ...one, ...change })),
        now,
      ),
  });
}

/** Faults of lanes and their dead letters. */
export const laneLetterFaults: readonly Fault[] = [
  {
    fault: 'blocks no lane',
    caughtBy: 'lanes and dead letters: a dead letter blocks its lane, and no other',
    verbs: (store, database) => ({
      settle: async (node, settlements, now) => {
        const written = await store.settle(node, settlements, now);
        unblockAll(database);
        return written;
      },
    }),
  },
  {
    fault: 'blocks with `skip` too',
    caughtBy: 'lanes and dead letters: with `skip` the lane goes on past a dead letter',
    verbs: announcing({ onDeadLetter: 'block' }),
  },
  ...[
    'a redriven letter comes first, and its lane goes on behind it',
    'a letter redriven at a pace keeps its lane waiting until it is due',
    'a letter that was skipped is redriven into a lane that has gone on, and runs when it is its turn',
  ].map((sentence): Fault => ({
    fault: `redrives outside the lane (${sentence})`,
    caughtBy: `lanes and dead letters: ${sentence}`,
    verbs: (store, database) => ({
      redrive: async (query, limit, now, pace) => {
        const ids = await store.redrive(query, limit, now, pace);
        for (const id of ids) database.unorder(database.live.get(id) as DeliveryRow);
        return ids;
      },
    }),
  })),
  ...['a discarded letter lets its lane go on', 'of two letters that block a lane both must go'].map(
    (sentence): Fault => ({
      fault: `wakes nobody for a discarded letter (${sentence})`,
      caughtBy: `lanes and dead letters: ${sentence}`,
      verbs: (store, database) => ({
        discard: async (query, limit) => {
          const ids = await store.discard(query, limit);
          parkAll(database);
          return ids;
        },
      }),
    }),
  ),
  {
    fault: 'wakes nobody when what ran beside a redriven letter is put back',
    caughtBy:
      'lanes and dead letters: a letter that was skipped, redriven while a later one runs, is claimed when that is given back',
    verbs: (store, database) => ({
      settle: async (node, settlements, now) => {
        const written = await store.settle(node, settlements, now);
        if (settlements.some((one) => one.outcome === 'snoozed')) parkAll(database);
        return written;
      },
    }),
  },
  {
    fault: 'prunes letters that block',
    caughtBy: 'lanes and dead letters: prune keeps a letter that blocks deliveries, and takes it when they are gone',
    verbs: (store, database) => ({
      prune: (request) => {
        unblockAll(database);
        return store.prune(request);
      },
    }),
  },
  {
    fault: 'prunes no letter of a lane',
    caughtBy: 'lanes and dead letters: prune takes old letters that block nothing, and the lane goes on',
    verbs: (store, database) => ({
      prune: async (request) =>
        [...database.dead.values()].some((row) => row.orderingKey !== null) ? 0 : store.prune(request),
    }),
  },
  {
    fault: 'lets old letters block a handler that skips them now',
    caughtBy: 'lanes and dead letters: a handler that is announced with `skip` is blocked no longer',
    verbs: announcing({ onDeadLetter: 'block' }),
  },
  {
    fault: 'keeps the lanes of a handler that is not ordered any more',
    caughtBy: 'lanes and dead letters: a handler that is announced as not ordered has no lanes any more',
    verbs: announcing({ ordered: true }),
  },
];
