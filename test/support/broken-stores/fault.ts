import type { EventStore } from '../../../libs/events/src/store/event-store.js';
import type { MemoryDatabase } from '../../../libs/events/src/store/memory/memory-database.js';
import type { MemoryStore } from '../../../libs/events/src/store/memory/memory-store.js';

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
