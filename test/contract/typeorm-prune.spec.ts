/** Scope: what a prune does beside others, and beside much that must stay; what it deletes is the store contract's. */
import { DataSource } from 'typeorm';
import { afterEach, describe, expect, it } from 'vitest';
import { hasPostgres, postgresSchema, sharedDatabases } from '../support/databases.js';
import { numbersUpTo } from '../support/numbers.js';
import { type TypeOrmHarness, typeormHarness } from '../support/typeorm-harness.js';

const PRUNE = { completedBefore: 1_000, deadBefore: 1_000, now: 1_000, limit: 100 };

/** Finished a second ago: events 1 to `count`, each with its history. */
function finished(count: number): string[] {
  const numbers = numbersUpTo(count);
  return [
    `insert into {inbox} (seq, id, type, payload, received_at, fanned_out_at) ${numbers}
      select n, concat('e', n), 'a.b', '{}', 1, 1 from numbers`,
    `insert into {completion} (event_seq, id, handler, outcome, attempts, finished_at) ${numbers}
      select n, n, 'mail', 'completed', 1, 1 from numbers`,
  ];
}

/** Moves the history of these events to the dead letters, which are to stay. */
const BURY = (which: string) => [
  `insert into {dead_letter} (id, event_seq, handler, reason, priority, attempts, crashes, claims, dead_at)
    select id, event_seq, handler, 'exhausted', 50, 1, 0, 1, 5000 from {completion} where ${which}`,
  `delete from {completion} where ${which}`,
];

let harness: TypeOrmHarness;
afterEach(() => harness.dispose());

const count = async (table: string) => {
  const [row] = await harness.hand<{ n: string | number }>(`select count(*) as n from {${table}}`);
  return Number(row?.n);
};

/** The rows that each batch deleted, until there was nothing left. */
async function pruneAll(store: TypeOrmHarness['store']): Promise<number[]> {
  for (const batches: number[] = []; ;) {
    const rows = await store.prune(PRUNE);
    if (rows === 0) return batches;
    batches.push(rows);
  }
}

describe.each(sharedDatabases)('a prune on %s', (_, make) => {
  it('finds the few events that may go among many that must stay', async () => {
    harness = await typeormHarness(make());
    for (const sql of [...finished(5_000), ...BURY('event_seq % 1000 <> 0')]) await harness.hand(sql);
    expect(await pruneAll(harness.store)).toEqual([10]);
    expect([await count('inbox'), await count('completion'), await count('dead_letter')]).toEqual([4_995, 0, 4_995]);
  });

  it('by several nodes at once deletes each row once, and all of them', async () => {
    harness = await typeormHarness(make());
    for (const sql of finished(1_500)) await harness.hand(sql);
    const stores = [harness.store, await harness.another(), await harness.another()];
    const batches = await Promise.all(stores.map(pruneAll));
    const rest = await pruneAll(harness.store);
    expect([...batches.flat(), ...rest].reduce((sum, rows) => sum + rows, 0)).toBe(3_000);
    expect([await count('inbox'), await count('completion')]).toEqual([0, 0]);
  });
});

describe.skipIf(!hasPostgres)('a prune on PostgreSQL', () => {
  it('passes over what somebody else has locked, and waits for nobody', async () => {
    const database = postgresSchema();
    harness = await typeormHarness(database);
    for (const sql of [...finished(20), ...BURY('event_seq <= 10')]) await harness.hand(sql);
    await harness.hand('update {dead_letter} set dead_at = 1');
    const source = await new DataSource(database.connection).initialize();
    const other = source.createQueryRunner();
    await other.startTransaction();
    try {
      const lock = (table: string, column: string, values: string) =>
        other.query(`select 1 from "${database.schema}".event_${table} where ${column} in (${values}) for update`);
      await lock('dead_letter', 'event_seq', '1, 2');
      await lock('completion', 'event_seq', '11, 12');
      await lock('inbox', 'seq', '3, 13');
      // 16 of history and letters, and 14 of their events: two of those that have lost them are locked.
      expect(await pruneAll(harness.store)).toEqual([30]);
    } finally {
      await other.rollbackTransaction();
      await other.release();
      await source.destroy();
    }
    expect(await pruneAll(harness.store)).toEqual([10]);
    expect(await count('inbox')).toBe(0);
  });
});
