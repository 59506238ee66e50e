/** Scope: how many statements a batch costs, and a publish, a claim and a settle of 1,000 deliveries: no load can change that. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { COMPLETED, event, join, names, settlement, T0 } from '../../libs/events/src/testing/store-contract/scene.js';
import type { Engine } from '../../libs/events/src/typeorm/engine.js';
import { MysqlEngine } from '../../libs/events/src/typeorm/mysql/mysql.engine.js';
import { PostgresEngine } from '../../libs/events/src/typeorm/postgres/postgres.engine.js';
import { SqliteEngine } from '../../libs/events/src/typeorm/sqlite/sqlite.engine.js';
import { BEGIN, type SqliteVerb, type StatementResult } from '../../libs/events/src/typeorm/verb.js';
import { sharedDatabases } from '../support/databases.js';
import { type TypeOrmHarness, typeormHarness } from '../support/typeorm-harness.js';

const DELIVERIES = 1_000;
const BATCH = 500;

/** For 1,000 deliveries in batches of 500; BEGIN and COMMIT not counted. */
const STATEMENTS: Readonly<Record<string, { publish: number; claim: number; settle: number }>> = {
  PostgreSQL: { publish: 2, claim: 2, settle: 2 },
  MariaDB: { publish: 6, claim: 10, settle: 6 },
  // An insert of many rows is one statement that is prepared once; nothing travels anywhere.
  'a SQLite file': { publish: 8, claim: 10, settle: 10 },
};

let statements = 0;

/** The same verb; what it asks of the database is counted. */
function* counted<R>(verb: SqliteVerb<R>): SqliteVerb<R> {
  let step = verb.next({ rows: [], count: 0, counts: [], rowIds: [] });
  while (!step.done) {
    if (step.value !== BEGIN) statements++;
    let result: StatementResult;
    try {
      result = yield step.value;
    } catch (error) {
      step = verb.throw(error);
      continue;
    }
    step = verb.next(result);
  }
  return step.value;
}

describe.each(sharedDatabases)('on %s', (name, make) => {
  let harness: TypeOrmHarness;

  beforeAll(async () => {
    harness = await typeormHarness(make());
    for (const engine of [PostgresEngine, MysqlEngine, SqliteEngine]) {
      const prototype = engine.prototype as Engine;
      const run = Reflect.get(prototype, 'run');
      vi.spyOn(prototype, 'run').mockImplementation(function (this: Engine, verb, limitMs) {
        return run.call(this, () => counted(verb()), limitMs);
      });
    }
  });
  afterEach(() => {
    statements = 0;
  });
  afterAll(async () => {
    vi.restoreAllMocks();
    await harness.dispose();
  });

  /** How many statements it takes. */
  async function countOf(work: () => Promise<unknown>): Promise<number> {
    const before = statements;
    await work();
    return statements - before;
  }

  it(`${DELIVERIES} deliveries are published, claimed and settled by a fixed number of statements`, async () => {
    const { store } = harness;
    const node = await join(store);
    const count = { publish: 0, claim: 0, settle: 0 };
    for (let done = 0; done < DELIVERIES; done += BATCH) {
      const events = names(`e${done}-`, BATCH).map((id) => ({ ...event(id, ['mail']), generatedId: true }));
      const { version } = await store.loadRegistry();
      count.publish += await countOf(() => store.append({ events, registryVersion: version, now: T0 }));
    }
    for (let done = 0; done < DELIVERIES; done += BATCH) {
      const request = { node, wants: [{ handler: 'mail', limit: BATCH }], limit: BATCH, suspect: false };
      let claimed: Awaited<ReturnType<typeof store.claim>> = null;
      count.claim += await countOf(async () => (claimed = await store.claim(request)));
      const settlements = (claimed ?? []).map((delivery) => settlement(delivery, COMPLETED));
      expect(settlements).toHaveLength(BATCH);
      count.settle += await countOf(() => store.settle(node, settlements, T0));
    }
    expect(count).toEqual(STATEMENTS[name]);
  });

  it('an idle node looks for raw events with one statement', async () => {
    const { store } = harness;
    const { version: registryVersion } = await store.loadRegistry();
    const look = () => store.fanOut({ limit: BATCH, registryVersion, now: T0, match: () => [] });
    expect(await countOf(look)).toBe(1);
  });
});
