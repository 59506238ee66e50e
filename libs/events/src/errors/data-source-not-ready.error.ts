import { EventsError } from './events.error.js';

/** The given DataSource is not connected (yet). */
export class DataSourceNotReadyError extends EventsError {
  readonly code = 'EVENTS_DATA_SOURCE_NOT_READY';

  constructor(readonly database: string) {
    super(
      `the DataSource of ${database} is not initialized; await dataSource.initialize() first, or give its injection token`,
    );
  }
}
