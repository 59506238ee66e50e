/** Scope: the verbs that run all the time go by indexes, however many rows wait. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toNative } from '../../libs/events/src/typeorm/mysql/values.js';
import { nativeDatabase } from '../../libs/events/src/typeorm/sqlite/native-database.js';
import type { Statement } from '../../libs/events/src/typeorm/verb.js';
import {
  hasMariadb,
  hasPostgres,
  mariadbDatabase,
  postgresSchema,
  sqliteFile,
  type TestDatabase,
} from '../support/databases.js';
import { type TypeOrmHarness, typeormHarness } from '../support/typeorm-harness.js';
import {
  CANDIDATE,
  FILL,
  HALF_OPEN,
  LANE,
  LANES,
  openVerbs,
  OTHER,
  PRUNE,
  ROWS,
  statementsOf,
  STRETCH,
  VERBS,
} from '../support/verbs-on-rows.js';

describe.skipIf(!hasPostgres)(`on PostgreSQL, with ${ROWS} rows`, () => {
  const database = postgresSchema();
  let harness: TypeOrmHarness;
  let opened: Awaited<ReturnType<typeof openVerbs>>;

  beforeAll(async () => {
    harness = await typeormHarness(database);
    await harness.store.registerNode({ label: 'a', host: 'h', pid: 1 }, 0);
    for (const sql of [...FILL, ...LANES]) await harness.hand(sql);
    await harness.hand(
      'analyze {inbox}, {delivery}, {node}, {handler}, {completion}, {dead_letter}, {idempotency}, {rate_limit}',
    );
    opened = await openVerbs(database);
  });
  afterAll(async () => {
    await opened.source.destroy();
    await harness.dispose();
  });

  /** Nodes of the plan on tables that grow, by the planner's own judgement: `enable_seqscan` stays on here. */
  async function plan(statement: Statement): Promise<string[]> {
    const rows = await opened.source.query<{ 'QUERY PLAN': string }[]>(`explain ${statement.sql}`, [
      ...statement.params,
    ]);
    return rows.map((row) => row['QUERY PLAN'].trim());
  }

  it.each(VERBS)('%s scans no table', async (name, verb) => {
    const rows = (sql: string): object[] => {
      if (sql.includes('version from')) return [{ version: 1 }];
      if (sql.includes('circuit_epoch, trials')) return [HALF_OPEN];
      if (sql.includes('max(seq)')) return [STRETCH];
      if (sql.includes('for no key update of h')) return [{ name: 'h3' }];
      if (sql.startsWith('select * from (select c.*')) return [CANDIDATE, OTHER];
      if (sql.includes('as lane, l.leased')) return [LANE, { ...LANE, lane: 1, leased: 5 }];
      // A node that is there, somebody who listens to deaths, and a delivery that has died.
      return /^select (id|1) from|^\s+with given/.test(sql)
        ? [{ id: 21, claims: 1, handler: 'h3', ordering_key: 'k1' }]
        : [];
    };
    const statements = statementsOf(verb(opened.verbs), rows);
    const scans = (await Promise.all(statements.map(plan)))
      .flat()
      .filter((node) => /Seq Scan on event_(delivery|inbox|completion|dead_letter|idempotency|rate_limit)/.test(node));
    expect(statements).not.toEqual([]);
    expect(statements.some(({ sql }) => sql.includes('set lane_wait = true'))).toBe(name === 'claim with lanes');
    expect(scans).toEqual([]);
  });

  it('a prune of events reads its stretch of the inbox and, of each event, what refers to it: no index as a whole', async () => {
    const statements = statementsOf(opened.verbs.pruneEvents(PRUNE, 50_000, 500), () => [STRETCH]);
    const nodes = (await Promise.all(statements.map(plan))).flat();
    expect(nodes.filter((node) => /Anti Join|Merge Join|Hash Join/.test(node))).toEqual([]);
    expect(nodes.filter((node) => /Index Scan using event_inbox_pkey/.test(node))).not.toEqual([]);
  });

  it('a claim reads each handler by the claim index, in its order: nothing but the candidates is sorted', async () => {
    const [statement] = statementsOf(VERBS[0][1](opened.verbs), () => []);
    const nodes = await plan(statement);
    const indexScan = nodes.findIndex((node) => /Index Scan using event_delivery_claim on/.test(node));
    // From the index scan upwards to the limit of one handler there is only the lock.
    expect(nodes.slice(indexScan - 2, indexScan).map((node) => node.replace(/^->\s+|\s+\(cost.*$/g, ''))).toEqual([
      'Limit',
      'LockRows',
    ]);
  });
});

describe.skipIf(!hasMariadb)(`on MariaDB, with ${ROWS} rows`, () => {
  let database: TestDatabase;
  let harness: TypeOrmHarness;
  let opened: Awaited<ReturnType<typeof openVerbs>>;

  beforeAll(async () => {
    database = await mariadbDatabase();
    harness = await typeormHarness(database);
    await harness.store.registerNode({ label: 'a', host: 'h', pid: 1 }, 0);
    for (const sql of FILL) await harness.hand(sql.replace(' key,', ' `key`,'));
    await harness.hand('analyze table {inbox}, {delivery}, {completion}, {dead_letter}, {idempotency}, {rate_limit}');
    opened = await openVerbs(database);
  });
  afterAll(async () => {
    await opened.source.destroy();
    await harness.dispose();
  });

  interface Step {
    readonly select_type: string;
    readonly table: string | null;
    readonly type: string | null;
    readonly key: string | null;
    readonly Extra: string;
  }

  const explain = ({ sql, params }: Statement) => opened.source.query<Step[]>(`explain ${sql}`, toNative(params));

  const rows = (sql: string): object[] => {
    if (sql.includes('min(available_at)')) return [{ due: 1_000 }];
    const row = {
      id: 1,
      claims: 1,
      priority: 50,
      handler: 'h1',
      key: 'k1',
      seq: 1,
      version: 1,
      type: 'a.b',
      event_seq: 1,
    };
    const numbers = { attempts: 1, crashes: 0, tokens: 1, refilled_at: 1, next_slot: 0, full_at: 1 };
    return [{ ...row, ...numbers, errors: null, headers: null, ...HALF_OPEN }];
  };

  it.each(VERBS)('%s scans no table', async (_, verb) => {
    const statements = statementsOf(verb(opened.verbs), rows);
    const steps = (await Promise.all(statements.map(explain))).flat();
    expect(steps).not.toEqual([]);
    const small = ['g', 'h', 'event_handler', 'event_node', 'event_registry', 'event_subscription'];
    const scans = steps.filter(
      ({ select_type, table, type, key, Extra }) =>
        select_type !== 'INSERT' &&
        type === 'ALL' &&
        key === null &&
        table !== null &&
        !small.includes(table) &&
        !/^<|^union/.test(table) &&
        !/no matching/i.test(Extra),
    );
    expect(scans).toEqual([]);
  });

  it.each(VERBS)('%s locks what it reads in the order of an index: no sort of candidates', async (_, verb) => {
    const locking = statementsOf(verb(opened.verbs), rows).filter(({ sql }) => /for update/.test(sql));
    const steps = (await Promise.all(locking.map(explain))).flat();
    expect(steps.filter(({ Extra }) => /filesort|temporary/i.test(Extra ?? ''))).toEqual([]);
  });
});

describe(`on SQLite, with ${ROWS} rows`, () => {
  const database = sqliteFile();
  let harness: TypeOrmHarness;
  let opened: Awaited<ReturnType<typeof openVerbs>>;

  beforeAll(async () => {
    harness = await typeormHarness(database);
    for (const sql of [...FILL, ...LANES]) await harness.hand(sql);
    opened = await openVerbs(database);
  });
  afterAll(async () => {
    await opened.source.destroy();
    await harness.dispose();
  });

  it.each(VERBS)('%s scans no table and sorts nothing', (name, verb) => {
    const rows = (sql: string): object[] => {
      if (sql.includes('registry')) return [{ version: 1 }];
      if (sql.includes('select min(available_at)')) return [{ due: 1_000 }];
      if (sql.includes('max(seq)')) return [STRETCH];
      if (sql.includes('as leased')) return [];
      if (sql.includes('select id, handler, priority, crashes, ordering_key')) return [OTHER, { ...OTHER, id: 43 }];
      const row = {
        id: 1,
        priority: 50,
        handler: 'h1',
        seq: 1,
        type: 'a.b',
        event_seq: 1,
        errors: null,
        headers: null,
        name: 'h3',
        ordered: 1,
        resting: 0,
        open: 0,
        crashes: 0,
        due: 1,
        ordering_key: 'k1',
      };
      return [{ ...row, ...HALF_OPEN }];
    };
    const statements = statementsOf(verb(opened.verbs), rows);
    const native = nativeDatabase(opened.source);
    const steps = statements.flatMap(({ sql, params }) =>
      native
        .prepare(`explain query plan ${sql}`)
        .all(params.map((value) => (typeof value === 'boolean' ? Number(value) : value)))
        .map((row) => (row as { detail: string }).detail),
    );
    expect(steps).not.toEqual([]);
    const parks = statements.some(({ sql }) => sql.includes('set lane_wait = 1'));
    expect(parks).toBe(name === 'claim with lanes');
    const slow = steps.filter(
      (step) =>
        /^SCAN (d|i|c|l|r|event_(inbox|delivery|completion|dead_letter|idempotency|rate_limit))\b(?!.*( VIRTUAL TABLE|USING (COVERING )?INDEX))/.test(
          step,
        ) || step.includes('TEMP B-TREE'),
    );
    expect(slow).toEqual([]);
  });
});
