import type { Invocation } from './invocation.js';
import type { EventMiddleware } from './middleware.js';

/** One attempt from the outermost middleware to the handler. */
export type Invoker = (invocation: Invocation) => Promise<void>;

/** The whole invoker chain: the first middleware is the outermost, `innermost` calls the handler. */
export function compose(middleware: readonly EventMiddleware[], innermost: Invoker): Invoker {
  return middleware.reduceRight<Invoker>(
    (next, link) => (invocation) => link.invoke(invocation, () => next(invocation)),
    innermost,
  );
}
