import { setImmediate as turn } from 'node:timers/promises';
import type { PruneRequest } from '../store/event-store.js';
import type { SqliteVerb } from './verb.js';
import type { Verbs } from './verbs.js';

/** Events looked through in one statement, for each that it may delete. */
const STRETCH = 5;

const TABLE_VERBS = ['pruneHistory', 'pruneLetters', 'pruneKeys', 'pruneBuckets'] as const;

/**
 * Prunes table by table, each batch in a transaction of its own. A table without a full batch is left until all are done.
 * Events come last, when no history or letter is old enough any more, so that the inbox is looked through once and not
 * by every batch.
 */
export class Pruning {
  private readonly ended = new Set<(typeof TABLE_VERBS)[number]>();
  /** Events up to here have been looked through. */
  private looked = 0;

  constructor(private readonly run: <R>(verb: (verbs: Verbs) => SqliteVerb<R>) => Promise<R>) {}

  /** 0 = in no table is there anything to prune, as far as this call has seen itself. */
  async batch(request: PruneRequest): Promise<number> {
    const sawAll = this.ended.size === 0;
    const rows = await this.once(request);
    if (rows > 0) return rows;
    this.ended.clear();
    return sawAll ? 0 : this.batch(request);
  }

  private async once(request: PruneRequest): Promise<number> {
    let pruned = 0;
    for (const verb of TABLE_VERBS) {
      if (this.ended.has(verb)) continue;
      const rows = await this.apart((verbs) => verbs[verb](request));
      if (rows < request.limit) this.ended.add(verb);
      pruned += rows;
    }
    const unreferenced = this.ended.has('pruneHistory') && this.ended.has('pruneLetters');
    return unreferenced ? pruned + (await this.events(request)) : pruned;
  }

  /** Goes on where the batch before it stopped, until one is full or the end is reached. */
  private async events(request: PruneRequest): Promise<number> {
    let pruned = 0;
    while (pruned < request.limit) {
      const [from, left] = [this.looked, { ...request, limit: request.limit - pruned }];
      const { rows, next } = await this.apart((verbs) => verbs.pruneEvents(left, from, STRETCH * request.limit));
      pruned += rows;
      this.looked = next ?? 0;
      if (next === null) break;
    }
    return pruned;
  }

  /** On SQLite a verb holds the event loop: others get their turn between two. */
  private async apart<R>(verb: (verbs: Verbs) => SqliteVerb<R>): Promise<R> {
    const answer = await this.run(verb);
    await turn();
    return answer;
  }
}
