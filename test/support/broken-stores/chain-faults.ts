import { TokenBuckets } from '../../../libs/events/src/policies/token-buckets.js';
import { HOUR } from '../../../libs/events/src/testing/store-contract/scene.js';
import { alike, type Fault, settlingAs } from './fault.js';

/** Faults of token buckets. */
export const tokenFaults: readonly Fault[] = [
  {
    fault: 'gives a token too many',
    caughtBy: 'tokens: a bucket is full at first; when it is empty every take gets a slot of its own',
    verbs: (store) => ({
      takeTokens: (takes, now) =>
        store.takeTokens(
          takes.map((take) => ({ ...take, burst: take.burst + 1 })),
          now,
        ),
    }),
  },
  {
    fault: 'fills buckets once a second',
    caughtBy: 'tokens: a bucket fills bit by bit, up to its burst',
    verbs: (store) => ({ takeTokens: (takes, now) => store.takeTokens(takes, now - (now % 1_000)) }),
  },
  {
    fault: 'begins anew when the time goes back',
    caughtBy: 'tokens: a time that is behind what the bucket has seen fills nothing',
    verbs: (store) => {
      let seen = 0;
      let epoch = 0;
      return {
        takeTokens: (takes, now) => {
          if (now < seen) epoch++;
          seen = now;
          return store.takeTokens(
            takes.map((take) => ({ ...take, key: `${epoch} ${take.key}` })),
            now,
          );
        },
      };
    },
  },
  {
    fault: 'counts intervals in whole milliseconds',
    caughtBy: 'tokens: a slot is a whole millisecond, rounded up',
    verbs: (store) => ({
      takeTokens: (takes, now) =>
        store.takeTokens(
          takes.map((take) => ({ ...take, intervalMs: Math.round(take.intervalMs) })),
          now,
        ),
    }),
  },
  {
    fault: 'has one bucket for keys that look alike',
    caughtBy: 'tokens: every handler and every key has a bucket of its own, compared exactly',
    verbs: (store) => ({ takeTokens: (takes, now) => store.takeTokens(takes.map(alike), now) }),
  },
  {
    fault: 'keeps the first limit that a bucket had',
    caughtBy: 'tokens: a limit that has changed applies from then on',
    verbs: (store) => {
      const limits = new Map<string, { burst: number; intervalMs: number }>();
      return {
        takeTokens: (takes, now) => {
          const first = takes.map((take) => {
            const limit = limits.get(take.key) ?? { burst: take.burst, intervalMs: take.intervalMs };
            limits.set(take.key, limit);
            return { ...take, ...limit };
          });
          return store.takeTokens(first, now);
        },
      };
    },
  },
  {
    fault: 'has buckets of its own in each store',
    caughtBy: 'tokens: stores that take at once never get more than the burst, and no slot twice',
    verbs: () => {
      const buckets = new TokenBuckets();
      return {
        takeTokens: (takes, now) => Promise.resolve(takes.map((take) => buckets.take(take.key, take, now))),
      };
    },
  },
  {
    fault: 'asks nobody when many ask for the same buckets',
    caughtBy: 'tokens: calls that take the same buckets in another order do not hinder each other',
    verbs: (store) => {
      let busy = 0;
      return {
        takeTokens: async (takes, now) => {
          const isBusy = busy++ > 0;
          await new Promise((resolve) => setImmediate(resolve));
          busy--;
          const free = { slotAt: null, tokens: 1, nextSlot: 0 };
          return isBusy ? takes.map(() => free) : store.takeTokens(takes, now);
        },
      };
    },
  },
  {
    fault: 'answers takes that nobody asked for',
    caughtBy: 'tokens: takes nothing when it is given nothing',
    verbs: (store) => ({
      takeTokens: async (takes, now) => [
        ...(await store.takeTokens(takes, now)),
        { slotAt: null, tokens: 1, nextSlot: 0 },
      ],
    }),
  },
];

/** Faults of what deliveries and prune know of the chain. */
export const chainUpkeepFaults: readonly Fault[] = [
  {
    fault: 'forgets the token of a snoozed delivery',
    caughtBy: 'rate slot: what is snoozed with a token has it when it comes back',
    verbs: settlingAs((one) => (one.outcome === 'snoozed' ? { ...one, rateSlot: null } : one)),
  },
  {
    fault: 'forgets the token of a released delivery',
    caughtBy: 'rate slot: what is released with a token keeps it, and without one has none',
    verbs: settlingAs((one) => (one.outcome === 'released' ? { ...one, rateSlot: null } : one)),
  },
  {
    fault: 'forgets the token that a transaction settles with',
    caughtBy: 'rate slot: a transaction that snoozes with a token keeps it too',
    verbs: (store) => ({
      settleIn: (manager, node, one, now) =>
        store.settleIn(manager, node, one.outcome === 'snoozed' ? { ...one, rateSlot: null } : one, now),
    }),
  },
  {
    fault: 'gives the token of an attempt to the next',
    caughtBy: 'rate slot: an attempt spends the token: a retry and a redriven delivery have none',
    verbs: (store, database) => ({
      settle: async (node, settlements, now) => {
        const rows = settlements.map(({ id }) => database.live.get(id));
        const before = rows.map((row) => row?.rateSlot ?? null);
        const written = await store.settle(node, settlements, now);
        for (const [index, row] of rows.entries()) {
          if (row && settlements[index]?.outcome === 'retry') row.rateSlot = before[index] ?? null;
        }
        return written;
      },
    }),
  },
  {
    fault: 'prunes keys that still mean something',
    caughtBy: 'prune: expired keys go, those that still mean something stay',
    verbs: (store, database) => ({
      prune: async (request) => database.keys.sweep(request.now + HOUR, request.limit) + (await store.prune(request)),
    }),
  },
  {
    fault: 'prunes buckets that are filling',
    caughtBy: 'prune: buckets that are full again go, the others stay as they are',
    verbs: (store, database) => ({
      prune: async (request) =>
        database.buckets.sweep(request.now + HOUR, request.limit) + (await store.prune(request)),
    }),
  },
  {
    fault: 'prunes keys and buckets without a limit',
    caughtBy: 'prune: takes at most its limit of keys and of buckets a call',
    verbs: (store, database) => ({
      prune: async (request) =>
        database.keys.sweep(request.now, Infinity) +
        database.buckets.sweep(request.now, Infinity) +
        (await store.prune(request)),
    }),
  },
];
