import { EventsError } from './events.error.js';

/** `contextHeaders.restore` returned without having called `run`: the handler did not run. A failed attempt. */
export class ContextRestoreError extends EventsError {
  readonly code = 'EVENTS_CONTEXT_RESTORE';

  constructor(readonly handler: string) {
    super(`contextHeaders.restore returned without calling run: ${handler} did not run`);
  }
}
