import { DEAD_LETTER_TYPE } from '../../../libs/events/src/store/dead-letter-notice.js';
import type { MemoryDatabase } from '../../../libs/events/src/store/memory/memory-database.js';
import type { EventRow } from '../../../libs/events/src/store/memory/memory-rows.js';
import type { Lease } from '../../../libs/events/src/store/records.js';
import { event } from '../../../libs/events/src/testing/store-contract/scene.js';
import type { Fault } from './fault.js';

function notices(database: MemoryDatabase): EventRow[] {
  return [...database.eventsById.values()].filter((row) => row.stored.type === DEAD_LETTER_TYPE);
}

function forget(database: MemoryDatabase, rows: readonly EventRow[]): void {
  for (const row of rows) {
    database.forgetEvent(row);
    database.raw.delete(row);
  }
}

/** Stores a notice that nobody has asked for. */
function tell(database: MemoryDatabase, { id, claims }: Lease): void {
  const notice = event(`${DEAD_LETTER_TYPE}:${id}:${claims}`, [], { type: DEAD_LETTER_TYPE });
  if (!database.eventsById.has(notice.id)) database.insertEvent(notice, 0, false);
}

/** A verdict on what a settle has stored: which notices it takes back. */
function settlingWithout(unwanted: (fresh: readonly EventRow[], old: readonly EventRow[]) => readonly EventRow[]) {
  return (store: Parameters<Fault['verbs']>[0], database: MemoryDatabase): ReturnType<Fault['verbs']> => ({
    settle: async (node, settlements, now) => {
      const old = notices(database);
      const written = await store.settle(node, settlements, now);
      const fresh = notices(database).filter((row) => !old.includes(row));
      forget(database, unwanted(fresh, old));
      return written;
    },
  });
}

/** Faults of dead letters: how they are found and redriven, and who is told of them. */
export const letterFaults: readonly Fault[] = [
  {
    fault: 'redrives at no pace',
    caughtBy: 'redrive: with a pace letters come one after the other, the oldest first',
    verbs: (store) => ({ redrive: (query, limit, now) => store.redrive(query, limit, now) }),
  },
  {
    fault: 'looks for no text',
    caughtBy: 'redrive: a text finds letters with a failure that says it, wherever it does',
    verbs: (store) => ({
      listDeadLetters: ({ errorText: _text, ...query }, limit, before) => store.listDeadLetters(query, limit, before),
    }),
  },
  {
    fault: 'looks for a text in messages only',
    caughtBy: 'redrive: a text finds letters with a failure that says it, wherever it does',
    verbs: (store) => ({
      listDeadLetters: async ({ errorText = '', ...query }, limit, before) =>
        (await store.listDeadLetters(query, limit, before)).filter((letter) =>
          letter.failures.some(({ message }) => message.includes(errorText)),
        ),
    }),
  },
  {
    fault: 'looks for texts in any case',
    caughtBy: 'redrive: a text is compared exactly, and means nothing but itself',
    verbs: (store) => ({
      listDeadLetters: async ({ errorText = '', ...query }, limit, before) =>
        (await store.listDeadLetters(query, limit, before)).filter((letter) =>
          letter.failures.some(({ message }) => message.toLowerCase().includes(errorText.toLowerCase())),
        ),
    }),
  },
  {
    fault: 'tells nobody of a death',
    caughtBy: 'death notice: a death is told by an event, stored raw, that holds the letter',
    verbs: settlingWithout((fresh) => fresh),
  },
  {
    fault: 'counts a death that it tells of as fanned out',
    caughtBy: 'death notice: a death is told by an event, stored raw, that holds the letter',
    verbs: (store, database) => ({
      settle: async (node, settlements, now) => {
        const written = await store.settle(node, settlements, now);
        for (const row of notices(database)) database.raw.delete(row);
        return written;
      },
    }),
  },
  ...(
    [
      'there is none when nobody subscribes under `events.`',
      'there is none when the one that subscribed has retired',
      "the death of one of the library's own events raises none",
    ] as const
  ).map((sentence): Fault => ({
    fault: `tells of every death, although ${sentence}`,
    caughtBy: `death notice: ${sentence}`,
    verbs: (store, database) => ({
      settle: async (node, settlements, now) => {
        const written = await store.settle(node, settlements, now);
        for (const one of settlements) if (one.outcome === 'dead') tell(database, one);
        return written;
      },
    }),
  })),
  {
    fault: 'tells of one death a batch',
    caughtBy: 'death notice: there is one for each that dies in a batch, and for nothing else',
    verbs: settlingWithout((fresh) => fresh.slice(1)),
  },
  {
    fault: 'tells of a death before the transaction commits',
    caughtBy: 'death notice: a delivery that dies in a transaction is told of with the commit',
    verbs: (store, database) => ({
      settleIn: (manager, node, settlement, now) => {
        if (settlement.outcome === 'dead') tell(database, settlement);
        return store.settleIn(manager, node, settlement, now);
      },
    }),
  },
  {
    fault: 'tells of a delivery once, however often it dies',
    caughtBy: 'death notice: a delivery that dies again is told of again',
    verbs: settlingWithout((fresh, old) => (old.length > 0 ? fresh : [])),
  },
  {
    fault: 'leaves large payloads out of notices',
    caughtBy: 'death notice: a large payload is in the notice in full',
    verbs: (store, database) => ({
      settle: async (node, settlements, now) => {
        const written = await store.settle(node, settlements, now);
        for (const { stored } of notices(database)) {
          const payload = stored.payload.replace(/x{1000,}/, 'x');
          Object.assign(stored, { payload });
        }
        return written;
      },
    }),
  },
  {
    fault: 'tells nobody of what expires',
    caughtBy: 'death notice: what expires with a retired handler is told of too',
    verbs: (store, database) => ({
      expireRetired: async (now, limit) => {
        const expired = await store.expireRetired(now, limit);
        forget(database, notices(database));
        return expired;
      },
    }),
  },
];
