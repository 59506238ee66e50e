import type { Attempt } from './attempt.js';
import type { ChainLink } from './chain-link.js';

/** One attempt from the outermost link to the handler. */
export type Invoker = (attempt: Attempt) => Promise<void>;

/** The whole invoker chain: the first link is the outermost, `innermost` calls the handler. */
export function compose(links: readonly ChainLink[], innermost: Invoker): Invoker {
  return links.reduceRight<Invoker>((next, link) => (attempt) => link.invoke(attempt, () => next(attempt)), innermost);
}
