import type { PruneRequest } from '../../store/event-store.js';
import type { Dialect } from '../dialect.js';
import type { Verb } from '../verb.js';

/** What a stretch of the inbox came to. */
export interface PrunedEvents {
  readonly rows: number;
  /** Where to go on; null = there is nothing old enough beyond. */
  readonly next: number | null;
}

export interface PruneVerbs {
  pruneHistory(request: PruneRequest): Verb<number>;
  pruneLetters(request: PruneRequest): Verb<number>;
  pruneKeys(request: PruneRequest): Verb<number>;
  pruneBuckets(request: PruneRequest): Verb<number>;
  /** @param after seq behind which to begin. @param length how many events to look through. */
  pruneEvents(request: PruneRequest, after: number, length: number): Verb<PrunedEvents>;
}

/** How far a stretch of the inbox goes, and how old it is at most. Parameters: seq behind which it begins, its length. */
export function stretchSql(d: Dialect): string {
  return d.sql(`select max(seq) as up_to, min(received_at) as oldest
    from (select seq, received_at from ${d.tables.inbox} where seq > ? order by seq limit ?) s`);
}

/** Of an event `e`: nothing is left of what it was delivered to. */
export function isUnreferenced(d: Dialect): string {
  return (
    [d.tables.delivery, d.tables.completion, d.tables.dead_letter]
      // Not as `not exists`, which becomes a join: a merge join reads an index from its beginning, for each stretch anew.
      .map((table) => `(select 1 from ${table} r where r.event_seq = e.seq limit 1) is null`)
      .join(' and ')
  );
}
