import { EventsError } from './events.error.js';

/** `EventsModule.forRoot()` stands in an application twice: there is one inbox, one node, one set of handlers. */
export class DuplicateModuleError extends EventsError {
  readonly code = 'EVENTS_DUPLICATE_MODULE';

  constructor() {
    super('EventsModule.forRoot() is imported more than once; import it in one module only (it is global by default)');
  }
}
