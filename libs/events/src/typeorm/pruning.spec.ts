/** Scope: in what order and how far a prune goes through the tables; what each batch deletes is the store contract's. */
import { describe, expect, it } from 'vitest';
import { Pruning } from './pruning.js';
import type { PrunedEvents } from './sql/prune-parts.js';
import type { SqliteVerb } from './verb.js';
import type { Verbs } from './verbs.js';

const REQUEST = { completedBefore: 9, deadBefore: 9, now: 9, limit: 10 };

/** What history gives a batch, and the inbox by where a stretch begins; asked = the stretches that were looked through. */
function setUp(history: number[], inbox: Record<number, PrunedEvents>) {
  const asked: number[] = [];
  const verbs = {
    pruneHistory: () => history.shift() ?? 0,
    pruneLetters: () => 0,
    pruneKeys: () => 0,
    pruneBuckets: () => 0,
    pruneEvents: (_request: unknown, after: number) => {
      asked.push(after);
      return inbox[after] ?? { rows: 0, next: null };
    },
  } as unknown as Verbs;
  // Here a verb is its answer.
  const run = <R>(verb: (verbs: Verbs) => SqliteVerb<R>) => Promise.resolve(verb(verbs) as unknown as R);
  return { asked, pruning: new Pruning(run) };
}

describe('a prune', () => {
  it('comes to the inbox when no history is old enough any more', async () => {
    const { pruning, asked } = setUp([10, 3], { 0: { rows: 4, next: null } });
    expect([await pruning.batch(REQUEST), asked]).toEqual([10, []]);
    expect([await pruning.batch(REQUEST), asked]).toEqual([7, [0]]);
  });

  it('asks a table without a full batch again only when all the others have nothing left, and then does', async () => {
    const history = [3, 0, 2, 0];
    const inbox = [
      { rows: 10, next: 0 },
      { rows: 5, next: null },
    ];
    const { pruning } = setUp(history, {
      get 0() {
        return inbox.shift() ?? { rows: 0, next: null };
      },
    });
    const rows: [number, number][] = [];
    for (let batch = 0; batch < 5; batch++) rows.push([await pruning.batch(REQUEST), history.length]);
    expect(rows).toEqual([
      [13, 3],
      [5, 3],
      [0, 2],
      [2, 1],
      [0, 0],
    ]);
  });

  it('passes in one batch over all the events that must stay, up to those that may go', async () => {
    const stay = { rows: 0, next: 50 };
    const { pruning, asked } = setUp([], { 0: stay, 50: { rows: 0, next: 100 }, 100: { rows: 10, next: 100 } });
    expect([await pruning.batch(REQUEST), asked]).toEqual([10, [0, 50, 100]]);
  });

  it('goes on where the batch before it stopped: what must stay is not looked through again', async () => {
    const { pruning, asked } = setUp([], { 0: { rows: 0, next: 50 }, 50: { rows: 10, next: 50 } });
    for (const from of [0, 50, 50]) {
      asked.length = 0;
      expect([await pruning.batch(REQUEST), asked[0]]).toEqual([10, from]);
    }
  });

  it('begins at the beginning again after it has come to the end', async () => {
    const { pruning, asked } = setUp([], { 0: { rows: 2, next: 50 } });
    expect([await pruning.batch(REQUEST), await pruning.batch(REQUEST), asked]).toEqual([2, 2, [0, 50, 0, 50]]);
  });
});
