import type { EventStore } from '../../../libs/events/src/store/event-store.js';
import type { MemoryDatabase } from '../../../libs/events/src/store/memory/memory-database.js';
import type { MemoryStore } from '../../../libs/events/src/store/memory/memory-store.js';
import type { Settlement } from '../../../libs/events/src/store/records.js';

/** One way to break a store, and the sentence of the contract that says so. */
export interface Fault {
  /** What the store does wrong. */
  readonly fault: string;
  /** Name of a case that must fail with it. */
  readonly caughtBy: string;
  /** The verbs done wrong; the others stay as they are. */
  readonly verbs: (store: MemoryStore, database: MemoryDatabase) => Partial<EventStore>;
}

/** The store with some verbs done wrong. */
export function breakStore(store: MemoryStore, verbs: Partial<EventStore>): EventStore {
  return Object.assign(Object.create(store) as EventStore, verbs);
}

/** A settle that is given other settlements than the caller's. */
export function settlingAs(change: (settlement: Settlement, index: number) => Settlement) {
  return (store: MemoryStore): Pick<MemoryStore, 'settle'> => ({
    settle: (node, settlements, now) => store.settle(node, settlements.map(change), now),
  });
}

/** As a database would that compares texts by their meaning. */
export function alike<T extends { readonly key: string }>(one: T): T {
  return { ...one, key: one.key.trim().toLowerCase() };
}
