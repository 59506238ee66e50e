import type { Attempt } from './attempt.js';

/** What calls the rest of the chain. */
export type Next = () => Promise<void>;

/** One of the chain's own links: as an `EventMiddleware`, but it sees the whole attempt. */
export interface ChainLink {
  /** For traces. */
  readonly name: string;
  invoke(attempt: Attempt, next: Next): Promise<void>;
}
