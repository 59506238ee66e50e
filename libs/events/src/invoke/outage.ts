import type { Clock } from '../clock/clock.js';
import { ChainUnavailableError } from '../errors/chain-unavailable.error.js';
import { stackOf } from '../errors/stack-of.js';
import type { EventsLogger } from '../observability/events-logger.js';
import type { Attempt } from './attempt.js';

/** How long a delivery waits when the chain could not ask the database. */
const WAIT_MS = 1_000;

/**
 * Lets the chain ask the database, and refuses the attempt when that fails: a limit that cannot be read must not be
 * passed, and the database's failure is not the handler's. Said once, until it works again.
 */
export class Outage {
  private readonly failing = new Set<string>();

  constructor(
    private readonly clock: Clock,
    private readonly logger: Pick<EventsLogger, 'log' | 'error'>,
  ) {}

  /** @throws ChainUnavailableError */
  async guard<T>(attempt: Attempt, what: string, ask: () => Promise<T>): Promise<T> {
    const { name } = attempt.handler;
    try {
      const answer = await ask();
      if (this.failing.delete(what)) this.logger.log(`the database answers for a ${what} again`, { what });
      return answer;
    } catch (cause) {
      if (!this.failing.has(what)) {
        this.failing.add(what);
        this.logger.error(
          `cannot ask the database for the ${what} of ${name}: its deliveries are put back until it answers (said once)`,
          { handler: name, what },
          stackOf(cause),
        );
      }
      throw attempt.refuse(new ChainUnavailableError(name, what, this.clock.now() + WAIT_MS, { cause }));
    }
  }
}
