import type { MemoryDatabase } from '../../../libs/events/src/store/memory/memory-database.js';
import type { DeliveryRow } from '../../../libs/events/src/store/memory/memory-rows.js';
import type { Fault } from './fault.js';

type Verbs = ReturnType<Fault['verbs']>;

function laned(database: MemoryDatabase): DeliveryRow[] {
  return [...database.live.values()].filter((row) => row.orderingKey !== null);
}

/** Parks everything that waits, whatever the verb has woken. */
export function parkAll(database: MemoryDatabase): void {
  for (const row of laned(database)) if (row.state === 'pending') row.parked = true;
}

/** Claims see the database changed for as long as they last. */
function claimingWith(before: (database: MemoryDatabase) => () => void): Fault['verbs'] {
  return (store, database): Verbs => {
    const changed = <R>(claim: () => Promise<R>) => {
      const undo = before(database);
      try {
        return claim();
      } finally {
        undo();
      }
    };
    return {
      claim: (request) => changed(() => store.claim(request)),
      claimTrials: (request) => changed(() => store.claimTrials(request)),
    };
  };
}

/** Handlers without lanes. */
const unordered = claimingWith((database) => {
  const rows = database.registry.all().filter((row) => row.ordered);
  for (const row of rows) row.ordered = false;
  return () => rows.forEach((row) => (row.ordered = true));
});

/** Faults of lanes. */
export const laneFaults: readonly Fault[] = [
  {
    fault: 'claims from lanes as from anywhere',
    caughtBy: 'lanes: a run is claimed in publish order, and nothing more of its lane while any of it is leased',
    verbs: unordered,
  },
  {
    fault: 'lets a lane go on while only the first of its run is done',
    caughtBy: 'lanes: a run is claimed in publish order, and nothing more of its lane while any of it is leased',
    verbs: (store, database) => ({
      settle: async (node, settlements, now) => {
        const written = await store.settle(node, settlements, now);
        for (const row of laned(database)) if (row.leaseNode !== null) database.takeBack(row);
        return written;
      },
    }),
  },
  {
    fault: 'fills a claim with the run of one lane',
    caughtBy: 'lanes: lanes run side by side; their heads come first, and runs grow by what is left',
    verbs: (store) => ({
      claim: async (request) => {
        const first = await store.claim({ ...request, limit: 1 });
        const left = request.limit - (first?.length ?? 0);
        if (!first || left === 0 || first.length === 0) return first;
        const lane = await store.claim({ ...request, limit: left });
        return lane && [...first, ...lane.toReversed()];
      },
    }),
  },
  {
    fault: 'claims more of a run than there is room for',
    caughtBy: 'lanes: the limits of a handler and of a claim hold for runs',
    verbs: (store) => ({
      claim: (request) =>
        store.claim({ ...request, wants: request.wants.map((want) => ({ ...want, limit: want.limit + 1 })) }),
    }),
  },
  {
    fault: 'answers the deliveries of lanes by priority',
    caughtBy: 'lanes: deliveries of one lane come one after the other, in its order, whatever their priorities',
    verbs: (store) => ({
      claim: async (request) => {
        const claimed = await store.claim(request);
        return claimed && claimed.toSorted((a, b) => a.priority - b.priority);
      },
    }),
  },
  {
    fault: 'puts events without a key in one lane',
    caughtBy: 'lanes: a delivery without a key is in no lane, nor is one of a handler that is not ordered',
    verbs: (store) => ({
      claim: async (request) => {
        const claimed = await store.claim(request);
        return claimed && claimed.map((one) => ({ ...one, lane: one.lane ?? '' }));
      },
    }),
  },
  {
    fault: 'has one lane for all handlers',
    caughtBy: 'lanes: two ordered handlers with one key do not wait for each other',
    verbs: (store, database) => ({
      claim: async (request) => {
        const busy = laned(database).some((row) => row.leaseNode !== null);
        return busy ? [] : store.claim(request);
      },
    }),
  },
  {
    fault: 'takes every want for one of lanes',
    caughtBy: 'lanes: an ordered handler gives nothing to a want that does not say so, and others with it still come',
    verbs: (store) => ({
      claim: (request) => store.claim({ ...request, wants: request.wants.map((want) => ({ ...want, ordered: true })) }),
    }),
  },
  {
    fault: 'claims from lanes first',
    caughtBy: 'lanes: the most urgent come first across ordered and other handlers, when the limit binds',
    verbs: (store) => ({
      claim: async (request) => {
        const part = async (ordered: boolean, limit: number) => {
          const wants = request.wants.filter((want) => (want.ordered ?? false) === ordered);
          return limit > 0 && wants.length > 0 ? store.claim({ ...request, wants, limit }) : [];
        };
        const lanes = await part(true, request.limit);
        const others = await part(false, request.limit - (lanes?.length ?? 0));
        return lanes && others && [...lanes, ...others];
      },
    }),
  },
  ...(
    [
      [
        'a retry',
        'lanes: a retry keeps its lane waiting; what was behind it in the run comes after it, with nothing charged',
        ['retry'],
      ],
      ['a snooze', 'lanes: a snoozed delivery keeps its lane waiting', ['snoozed']],
      ['what is given back', 'lanes: what is given back in the middle of a run keeps its place', ['released']],
    ] as const
  ).map(([what, caughtBy, outcomes]): Fault => ({
    fault: `takes ${what} out of its lane`,
    caughtBy,
    verbs: (store, database) => ({
      settle: async (node, settlements, now) => {
        const written = await store.settle(node, settlements, now);
        for (const { id, outcome } of settlements) {
          const row = database.live.get(id);
          if (row && (outcomes as readonly string[]).includes(outcome)) database.unorder(row);
        }
        return written;
      },
    }),
  })),
  {
    fault: 'wakes nobody when a run has ended',
    caughtBy: 'lanes: a run settled in any order, by two at once, lets the lane go on',
    verbs: (store, database) => ({
      settle: async (node, settlements, now) => {
        const written = await store.settle(node, settlements, now);
        parkAll(database);
        return written;
      },
    }),
  },
  ...['a delayed event keeps those behind it waiting until it is due', 'a run ends before a delayed event'].map(
    (sentence): Fault => ({
      fault: `passes over delayed events (${sentence})`,
      caughtBy: `lanes: ${sentence}`,
      verbs: claimingWith((database) => {
        const late = laned(database).filter((row) => row.state === 'scheduled');
        for (const row of late) database.lanes.leave(row);
        return () => late.forEach((row) => database.lanes.enter(row));
      }),
    }),
  ),
  {
    fault: 'does not look at raw events',
    caughtBy: 'lanes: a raw event of the key keeps those behind it waiting until it is fanned out',
    verbs: claimingWith((database) => {
      const raw = [...database.raw];
      database.raw.clear();
      return () => raw.forEach((row) => database.raw.add(row));
    }),
  },
  {
    fault: 'looks at no more than a few hundred',
    caughtBy: 'lanes: thousands that wait for their lane keep nobody else waiting',
    verbs: (store, database) => ({
      claim: async (request) => {
        const waiting = laned(database).filter((row) => row.state === 'pending' && row.orderingKey === 'a');
        return waiting.length > 1_000 && laned(database).some((row) => row.leaseNode !== null)
          ? []
          : store.claim(request);
      },
    }),
  },
  {
    fault: 'lets two nodes into one lane',
    caughtBy: 'lanes: many lanes are all claimed, by nodes that claim at once, each in its order',
    verbs: unordered,
  },
];
