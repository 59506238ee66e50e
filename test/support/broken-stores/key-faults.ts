import type { KeyClaim } from '../../../libs/events/src/store/chain.store.js';
import { MemoryKeys } from '../../../libs/events/src/store/memory/memory-keys.js';
import type { Settlement } from '../../../libs/events/src/store/records.js';
import { alike, type Fault, settlingAs } from './fault.js';

function withoutKey({ key: _key, ...settlement }: Settlement): Settlement {
  return settlement;
}

/** Faults of idempotency keys. */
export const keyFaults: readonly Fault[] = [
  {
    fault: 'does not tell how long a key is being processed',
    caughtBy: 'keys: a free key is claimed, and being processed for everybody else',
    verbs: (store) => ({
      claimKeys: async (claims, now) =>
        (await store.claimKeys(claims, now)).map((one) =>
          one.state === 'processing' ? { ...one, expiresAt: now } : one,
        ),
    }),
  },
  {
    fault: 'has keys of its own in each store',
    caughtBy: 'keys: of 50 that claim one key at once exactly one gets it',
    verbs: () => {
      const keys = new MemoryKeys();
      return { claimKeys: (claims, now) => Promise.resolve(claims.map((one) => keys.claim(one, now))) };
    },
  },
  {
    fault: 'asks nobody when many ask for the same keys',
    caughtBy: 'keys: calls that claim the same keys in another order at once share them out',
    verbs: (store) => {
      let busy = 0;
      return {
        claimKeys: async (claims, now) => {
          const isBusy = busy++ > 0;
          await new Promise((resolve) => setImmediate(resolve));
          busy--;
          return isBusy ? claims.map(() => ({ state: 'claimed' })) : store.claimKeys(claims, now);
        },
      };
    },
  },
  {
    fault: 'refuses a key to the delivery that has it',
    caughtBy: 'keys: the delivery that has it claims it again, for longer',
    verbs: (store) => {
      let calls = 0;
      return {
        claimKeys: (claims, now) =>
          store.claimKeys(
            claims.map((one) => ({ ...one, owner: ++calls })),
            now,
          ),
      };
    },
  },
  {
    fault: 'never takes a key over',
    caughtBy: 'keys: one that is still being processed when its time is over goes to the next',
    verbs: (store) => ({ claimKeys: (claims) => store.claimKeys(claims, 0) }),
  },
  {
    fault: 'forgets to complete keys',
    caughtBy: 'keys: a completed delivery completes its key for all, until it is forgotten',
    verbs: settlingAs(withoutKey),
  },
  {
    fault: 'completes keys whatever the outcome',
    caughtBy: 'keys: any other outcome gives its key free',
    verbs: (store, database) => ({
      settle: (node, settlements, now) => {
        for (const { id, handler, key } of settlements) {
          if (key) database.keys.end(handler, key.key, id, 'completed', key.expiresAt);
        }
        return store.settle(node, settlements, now);
      },
    }),
  },
  {
    fault: 'ends keys that a settlement says nothing of',
    caughtBy: 'keys: a settlement without a key leaves it as it is',
    verbs: (store, database) => {
      const claimed: KeyClaim[] = [];
      return {
        claimKeys: (claims, now) => {
          claimed.push(...claims);
          return store.claimKeys(claims, now);
        },
        settle: (node, settlements, now) => {
          for (const { handler, key, owner, expiresAt } of claimed) {
            const isSettled = settlements.some((one) => one.id === owner);
            if (isSettled) database.keys.end(handler, key, owner, 'completed', expiresAt);
          }
          return store.settle(node, settlements, now);
        },
      };
    },
  },
  {
    fault: 'ends the key of a lost lease',
    caughtBy: 'keys: a settlement that is refused leaves the key as it is',
    verbs: (store, database) => ({
      settle: async (node, settlements, now) => {
        const written = await store.settle(node, settlements, now);
        for (const [index, { id, handler, key }] of settlements.entries()) {
          if (key && !written[index]) database.keys.end(handler, key.key, id, 'failed', key.expiresAt);
        }
        return written;
      },
    }),
  },
  {
    fault: 'ends keys whoever has them',
    caughtBy: 'keys: a key that another has taken over is not ended by the one that had it',
    verbs: (store, database) => ({
      settle: (node, settlements, now) => {
        for (const { id, handler, key } of settlements) {
          if (key) database.keys.claim({ handler, owner: id, ...key }, Infinity);
        }
        return store.settle(node, settlements, now);
      },
    }),
  },
  {
    fault: 'ends one key a batch',
    caughtBy: 'keys: each settlement of a batch ends its own key',
    verbs: settlingAs((settlement, index) => (index === 0 ? settlement : withoutKey(settlement))),
  },
  {
    fault: 'ends a key before the transaction commits',
    caughtBy: 'keys: a settlement in a transaction ends the key with the commit, and not with a rollback',
    verbs: (store, database) => ({
      settleIn: (manager, node, settlement, now) => {
        const { id, handler, key } = settlement;
        if (key) database.keys.end(handler, key.key, id, 'completed', key.expiresAt);
        return store.settleIn(manager, node, settlement, now);
      },
    }),
  },
  {
    fault: 'lets the last of a call win a key',
    caughtBy: 'keys: of one key twice in a call the first gets it',
    verbs: (store) => ({
      claimKeys: async (claims, now) => (await store.claimKeys(claims.toReversed(), now)).toReversed(),
    }),
  },
  {
    fault: 'takes keys that look alike for one',
    caughtBy: 'keys: each key of a handler is one of its own, compared exactly',
    verbs: (store) => ({ claimKeys: (claims, now) => store.claimKeys(claims.map(alike), now) }),
  },
  {
    fault: 'answers claims that nobody made',
    caughtBy: 'keys: claims nothing when it is given nothing',
    verbs: (store) => ({
      claimKeys: async (claims, now) => [...(await store.claimKeys(claims, now)), { state: 'claimed' }],
    }),
  },
];
