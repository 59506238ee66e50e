import type { MemoryDatabase } from '../../../libs/events/src/store/memory/memory-database.js';
import type { DeliveryRow } from '../../../libs/events/src/store/memory/memory-rows.js';
import type { ClaimedDelivery } from '../../../libs/events/src/store/records.js';
import type { Fault } from './fault.js';

type DueOf<T> = (one: T) => number;

const received: DueOf<ClaimedDelivery> = ({ event }) => event.receivedAt;

function withDue(claimed: readonly ClaimedDelivery[], dueOf: DueOf<ClaimedDelivery>): ClaimedDelivery[] {
  return claimed.map((one) => ({ ...one, dueAt: dueOf(one) }));
}

/** A claim that tells something else of what it leases. */
function claiming(dueOf: DueOf<ClaimedDelivery>): Fault['verbs'] {
  return (store) => ({
    claim: async (request) => {
      const claimed = await store.claim(request);
      return claimed && withDue(claimed, dueOf);
    },
  });
}

/** Runs a verb; of those rows that `picks` names before it, what is live afterwards has another due time. */
async function touching<T>(
  database: MemoryDatabase,
  verb: () => Promise<T>,
  picks: (row: DeliveryRow) => boolean,
  dueOf: DueOf<DeliveryRow>,
): Promise<T> {
  const rows = [...database.live.values(), ...database.dead.values()].filter(picks);
  const dues = new Map(rows.map((row) => [row, dueOf(row)]));
  const answer = await verb();
  for (const [row, due] of dues) if (database.live.has(row.id)) row.dueAt = due;
  return answer;
}

/** A stage that gives what it stages another due time; `dueOf` sees the rows as they were before. */
function staging(dueOf: (row: DeliveryRow, now: number) => number): Fault['verbs'] {
  return (store, database) => {
    const isDue = (now: number) => (row: DeliveryRow) => row.state === 'scheduled' && (row.availableAt ?? 0) <= now;
    return {
      stage: (now, limit) =>
        touching(
          database,
          () => store.stage(now, limit),
          isDue(now),
          (row) => dueOf(row, now),
        ),
    };
  };
}

/** A fan-out that gives the deliveries it makes another due time. */
function fanningOut(dueOf: (row: DeliveryRow, now: number) => number): Fault['verbs'] {
  return (store, database) => ({
    fanOut: async (request) => {
      const events = [...database.raw];
      const result = await store.fanOut(request);
      for (const row of events.flatMap(({ deliveries }) => [...deliveries])) row.dueAt = dueOf(row, request.now);
      return result;
    },
  });
}

const isDead = ({ state }: DeliveryRow) => state === 'dead';

/** Faults of since when a delivery is due. */
export const dueFaults: readonly Fault[] = [
  {
    fault: 'takes a delivery as due since its event occurred',
    caughtBy: 'due: what could be claimed from the start is due since its event was received',
    verbs: claiming(({ event }) => event.occurredAt),
  },
  {
    fault: 'takes a delivery as due since it was claimed',
    caughtBy: 'due: what could be claimed from the start is due since its event was received',
    verbs: claiming(() => Date.now()),
  },
  {
    fault: 'takes a delay that was over before the event came for one',
    caughtBy: 'due: a late fan-out changes nothing about it',
    verbs: fanningOut(({ event }) => event.availableAt ?? event.stored.receivedAt),
  },
  {
    fault: 'takes what was raw as due since its fan-out',
    caughtBy: 'due: a late fan-out changes nothing about it',
    verbs: fanningOut((_row, now) => now),
  },
  {
    fault: 'forgets a delay that was over before the fan-out',
    caughtBy: 'due: a delay that was over before the fan-out was over at its moment',
    verbs: fanningOut(({ event }) => event.stored.receivedAt),
  },
  {
    fault: 'forgets the due time when it stages',
    caughtBy: 'due: what was delayed is due since its moment, whenever it is staged',
    verbs: staging(({ event }) => event.stored.receivedAt),
  },
  {
    fault: 'takes what it stages as due since then',
    caughtBy: 'due: what was delayed is due since its moment, whenever it is staged',
    verbs: staging((_row, now) => now),
  },
  {
    fault: 'keeps the due time of the attempt before',
    caughtBy: 'due: what was to be tried again is due since then, and what was snoozed, too',
    verbs: staging(({ dueAt }) => dueAt),
  },
  {
    fault: 'keeps the due time of the life before a redrive',
    caughtBy: 'due: what was redriven at once is due since then, whatever it was before',
    verbs: (store, database) => ({
      redrive: (...request) =>
        touching(
          database,
          () => store.redrive(...request),
          isDead,
          ({ dueAt }) => dueAt,
        ),
    }),
  },
  {
    fault: 'takes what is redriven as due since before it was',
    caughtBy: 'due: what was redriven at once is due since then, whatever it was before',
    verbs: (store, database) => ({
      redrive: (query, limit, now, pace) =>
        touching(
          database,
          () => store.redrive(query, limit, now, pace),
          isDead,
          () => pace?.startAt ?? now,
        ),
    }),
  },
  {
    fault: 'takes what is redriven at a pace as due since its redrive',
    caughtBy: 'due: what was redriven at a pace is due since its moment',
    verbs: (store, database) => {
      const redriven = new Map<number, number>();
      return {
        ...claiming(({ id, dueAt }) => redriven.get(id) ?? dueAt)(store, database),
        redrive: async (query, limit, now, pace) => {
          const ids = await store.redrive(query, limit, now, pace);
          for (const id of ids) redriven.set(id, now);
          return ids;
        },
      };
    },
  },
  {
    fault: 'takes what is released as due since then',
    caughtBy: 'due: what is released has been due all along',
    verbs: (store, database) => ({
      settle: (node, settlements, now) => {
        const released = new Set(settlements.flatMap(({ id, outcome }) => (outcome === 'released' ? [id] : [])));
        const isReleased = ({ id }: DeliveryRow) => released.has(id);
        return touching(
          database,
          () => store.settle(node, settlements, now),
          isReleased,
          () => now,
        );
      },
    }),
  },
  {
    fault: 'lets a settlement change the due time whose lease is lost',
    caughtBy: 'due: a settlement whose lease is lost changes nothing about it',
    verbs: (store, database) => ({
      settle: async (node, settlements, now) => {
        const written = await store.settle(node, settlements, now);
        for (const [index, one] of settlements.entries()) {
          const row = database.live.get(one.id);
          if (row && !written[index] && 'availableAt' in one) row.dueAt = one.availableAt;
        }
        return written;
      },
    }),
  },
  {
    fault: 'takes what a node died with as due since then',
    caughtBy: 'due: what a node dies with has been due all along',
    verbs: (store, database) => ({
      removeNode: (node, now, beat) =>
        touching(
          database,
          () => store.removeNode(node, now, beat),
          ({ leaseNode }) => leaseNode === node,
          () => now,
        ),
    }),
  },
  {
    fault: 'takes what it rescues as due since then',
    caughtBy: 'due: what is rescued has been due all along',
    verbs: (store, database) => ({
      rescueOrphans: (now) =>
        touching(
          database,
          () => store.rescueOrphans(now),
          ({ leaseNode }) => leaseNode !== null && !database.nodes.has(leaseNode),
          () => now,
        ),
    }),
  },
  {
    fault: 'takes what is adopted as due since then',
    caughtBy: 'due: who adopts a handler gets its deliveries as due as they were',
    verbs: (store, database) => ({
      registerHandlers: (node, handlers, now) => {
        const aliases = new Set(handlers.flatMap((one) => one.aliases ?? []));
        const isAdopted = (row: DeliveryRow) => aliases.has(row.handler);
        return touching(
          database,
          () => store.registerHandlers(node, handlers, now),
          isAdopted,
          () => now,
        );
      },
    }),
  },
  {
    fault: 'takes what comes from a retired handler as due since then',
    caughtBy: 'due: who gets the deliveries of a retired handler gets them as due as they were',
    verbs: (store, database) => ({
      expireRetired: (now, limit) =>
        touching(
          database,
          () => store.expireRetired(now, limit),
          ({ state }) => state !== 'processing',
          () => now,
        ),
    }),
  },
  {
    fault: 'knows of trials only when their events were received',
    caughtBy: 'due: trials tell it, too',
    verbs: (store) => ({
      claimTrials: async (request) => {
        const claimed = await store.claimTrials(request);
        return claimed && withDue(claimed, received);
      },
    }),
  },
  {
    fault: 'knows of lanes only when their events were received',
    caughtBy: 'due: claims from lanes tell it, too: waiting for its lane keeps nothing from being due',
    verbs: claiming((one) => (one.lane === null ? one.dueAt : received(one))),
  },
  {
    fault: 'claims with an append as due since then',
    caughtBy: 'due: a claim with an append tells it, too, if the store makes one',
    verbs: (store) => ({
      append: async (request, manager) => {
        const result = await store.append(request, manager);
        const claimed = request.claim && (await store.claim(request.claim));
        return claimed ? { ...result, claimed: withDue(claimed, () => request.now) } : result;
      },
    }),
  },
];
