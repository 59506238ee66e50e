import { MemoryDatabase } from '../../libs/events/src/store/memory/memory-database.js';
import { MemoryStore } from '../../libs/events/src/store/memory/memory-store.js';
import type { EventStore } from '../../libs/events/src/store/event-store.js';
import { ManualClock } from '../../libs/events/src/testing/manual-clock.js';
import type { StoreHarness } from '../../libs/events/src/testing/store-contract/contract-case.js';

/** In-memory stores on data of their own; `wrap` may put something between each store and the case. */
export async function memoryHarness(
  wrap: (store: MemoryStore, database: MemoryDatabase) => EventStore = (store) => store,
): Promise<StoreHarness> {
  const database = new MemoryDatabase();
  const stores: EventStore[] = [];
  const openAnother = async () => {
    const store = wrap(new MemoryStore(new ManualClock(), database), database);
    stores.push(store);
    await store.open();
    return store;
  };
  return {
    store: await openAnother(),
    another: openAnother,
    forgetNode: async (node) => {
      database.nodes.delete(node);
    },
    dispose: async () => {
      for (const store of stores) await store.close();
    },
  };
}
