import { RefusedError } from './refused.error.js';

/** Another delivery with the same idempotency key is being processed. */
export class KeyBusyError extends RefusedError {
  readonly code = 'EVENTS_KEY_BUSY';

  constructor(
    readonly handler: string,
    readonly retryAt: number,
  ) {
    super(`another delivery of handler ${handler} with the same idempotency key is being processed`);
  }
}
