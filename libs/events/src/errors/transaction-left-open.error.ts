import { EventsError } from './events.error.js';

/** The work of a transaction ended while a transaction nested in it was open, so it could not be committed. Nothing of it was. */
export class TransactionLeftOpenError extends EventsError {
  readonly code = 'EVENTS_TRANSACTION_LEFT_OPEN';

  constructor() {
    super(
      'the transaction was rolled back: one nested in it was still open at its end; await every nested transaction',
    );
  }
}
