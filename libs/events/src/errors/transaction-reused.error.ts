import { EventsError } from './events.error.js';

/** `context.transaction` was called a second time in one attempt; the first call has completed the delivery already. */
export class TransactionReusedError extends EventsError {
  readonly code = 'EVENTS_TRANSACTION_REUSED';

  constructor(readonly handler: string) {
    super(`handler ${handler} called context.transaction() twice in one attempt; do all the work in one call`);
  }
}
