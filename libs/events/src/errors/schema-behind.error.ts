import { EventsError } from './events.error.js';

/** The tables are older than this program, and it was told not to migrate them. */
export class SchemaBehindError extends EventsError {
  readonly code = 'EVENTS_SCHEMA_BEHIND';

  constructor(
    /** Names of the migrations that are missing, oldest first. */
    readonly pending: readonly string[],
    database: string,
  ) {
    super(
      `${database} lacks ${pending.length} migration(s) of the event tables: ${pending.join(', ')}. Run them with ` +
        'eventMigrations() in a TypeORM migration run or with the statements of eventMigrationSql(), or start with `migrate: true`',
    );
  }
}
