import type { EventStore } from '../../store/event-store.js';

/** One empty set of data and the stores that look at it; made anew for each case. */
export interface StoreHarness {
  /** Open, and empty but for what opening puts there. */
  readonly store: EventStore;
  /** Another open store on the same data, as another node would have: for SQL, with connections of its own. */
  readonly another: () => Promise<EventStore>;
  /**
   * Deletes the node's own row and nothing else, past the contract, as a hand in the database would: the only way to get
   * a lease whose node is not registered.
   */
  readonly forgetNode: (node: number) => Promise<void>;
  /** Closes every store that the harness gave out, and removes the data. */
  readonly dispose: () => Promise<void>;
}

/** One sentence that every store must keep. */
export interface ContractCase {
  /** Unique in the suite: `topic: sentence`. */
  readonly name: string;
  /** Rejects with an `AssertionError` if the store breaks the sentence. Waits for nothing longer than 10 s on any store that works. */
  run(harness: StoreHarness): Promise<void>;
}

/** Runs one case on data of its own, which is disposed of whatever happens. */
export async function runContractCase(
  contractCase: ContractCase,
  makeHarness: () => Promise<StoreHarness>,
): Promise<void> {
  const harness = await makeHarness();
  try {
    await contractCase.run(harness);
  } finally {
    await harness.dispose();
  }
}

/** The cases of one topic, from sentences to what shows them. */
export function contractCases(
  topic: string,
  sentences: Readonly<Record<string, (harness: StoreHarness) => Promise<void>>>,
): readonly ContractCase[] {
  return Object.entries(sentences).map(([sentence, run]) => ({ name: `${topic}: ${sentence}`, run }));
}
