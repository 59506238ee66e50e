import type { Tables } from '../tables.js';

/** One versioned change of the schema. Once released it is never edited: the next change is a new one. */
export interface MigrationScript {
  /** Ends in a 13-digit timestamp, as TypeORM asks. */
  readonly name: string;
  readonly up: (tables: Tables) => readonly string[];
  readonly down: (tables: Tables) => readonly string[];
}
