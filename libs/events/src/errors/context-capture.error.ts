import { EventsError } from './events.error.js';

/** `contextHeaders.capture` threw (`cause`), or answered something else than texts by name. Nothing was stored. */
export class ContextCaptureError extends EventsError {
  readonly code = 'EVENTS_CONTEXT_CAPTURE';

  constructor(problem: string, options?: ErrorOptions) {
    super(`contextHeaders.capture ${problem}: nothing was published`, options);
  }
}
