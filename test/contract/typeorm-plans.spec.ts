/** Scope: the verbs that run all the time go by indexes, however many rows wait. */
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Dialect } from '../../libs/events/src/typeorm/dialect.js';
import { engineOptions } from '../../libs/events/src/typeorm/engine-options.js';
import { nativeDatabase } from '../../libs/events/src/typeorm/sqlite/native-database.js';
import { BEGIN, type SqliteVerb, type Statement } from '../../libs/events/src/typeorm/verb.js';
import { type Verbs, verbs } from '../../libs/events/src/typeorm/verbs.js';
import { hasPostgres, postgresSchema, sqliteFile } from '../support/databases.js';
import { type TypeOrmHarness, typeormHarness } from '../support/typeorm-harness.js';

const ROWS = 100_000;
const HANDLERS = Array.from({ length: 20 }, (_, index) => `h${index}`);

const NUMBERS = `with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${ROWS})`;

/** Of 20 handlers in turn: a tenth waits for a time, two tenths are leased, one in a thousand is a suspect. */
const FILL = [
  `insert into {inbox} (seq, id, type, payload, bytes, fanned_out_at) ${NUMBERS}
    select n, 'e' || n, 'a.b', '{}', 2, 1 from numbers`,
  `insert into {delivery} (id, event_seq, handler, priority, available_at, lease_node, claims, crashes) ${NUMBERS}
    select n, n, 'h' || (n % 20), 50, case when n % 10 = 0 then 1000 + n end, case when n % 10 in (1, 2) then 1 end, 1,
      case when n % 1000 = 3 then 1 else 0 end from numbers`,
  `insert into {completion} (event_seq, id, handler, outcome, attempts, finished_at) ${NUMBERS}
    select n, n + ${ROWS}, 'h1', 'completed', 1, n from numbers`,
  `insert into {dead_letter} (id, event_seq, handler, reason, priority, attempts, crashes, claims, dead_at) ${NUMBERS}
    select n + 2 * ${ROWS}, n, 'h1', 'exhausted', 50, 5, 0, 5, n from numbers`,
];

const VERBS: readonly (readonly [string, (v: Verbs) => SqliteVerb<unknown>])[] = [
  [
    'claim',
    (v) => v.claim({ node: 1, wants: HANDLERS.map((handler) => ({ handler, limit: 50 })), limit: 500, suspect: true }),
  ],
  [
    'settle',
    (v) =>
      v.settle(
        1,
        Array.from({ length: 100 }, (_, index) => {
          const lease = { id: index * 10 + 1, claims: 1, seq: index * 10 + 1, handler: 'h1' };
          if (index % 3 === 0) return { ...lease, outcome: 'completed' as const, attempts: 1, durationMs: 1 };
          if (index % 3 === 1) return { ...lease, outcome: 'snoozed' as const, availableAt: 1 };
          return { ...lease, outcome: 'dead' as const, reason: 'expired' as const, failure: null };
        }),
        1,
      ),
  ],
  ['stage', (v) => v.stage(2_000, 100)],
  ['fanOut', (v) => v.fanOut({ limit: 100, registryVersion: 1, now: 1, match: () => [] })],
  ['findDeliveries', (v) => v.findDeliveries('e500')],
  ['lostLeases', (v) => v.lostLeases(1, [{ id: 1, claims: 1 }])],
  ['cancel', (v) => v.cancel(11, 1)],
];

const NOTHING = { rows: [], count: 0, counts: [], rowIds: [] };

/** The statements of a verb, each with rows that let it go on. */
function statementsOf(verb: SqliteVerb<unknown>, rows: (sql: string) => object[]): Statement[] {
  const statements: Statement[] = [];
  for (let step = verb.next(NOTHING); !step.done;) {
    const { value } = step;
    if (value === BEGIN) {
      step = verb.next(NOTHING);
    } else if ('each' in value) {
      statements.push({ sql: value.sql, params: Array.from(value.sql.matchAll(/\?/g), () => null) });
      const ones = value.each.map(() => 1);
      step = verb.next({ ...NOTHING, counts: ones, rowIds: ones });
    } else {
      statements.push(value);
      step = verb.next({ ...NOTHING, rows: rows(value.sql), count: 1 });
    }
  }
  return statements;
}

async function openVerbs(harness: { connection: Parameters<typeof engineOptions>[0]; schema: string | undefined }) {
  const source = await new DataSource(
    engineOptions(harness.connection, { tablePrefix: 'event_', schema: harness.schema }),
  ).initialize();
  return { source, verbs: verbs(new Dialect(source, 'event_', harness.schema)) };
}

describe.skipIf(!hasPostgres)(`on PostgreSQL, with ${ROWS} rows`, () => {
  const database = postgresSchema();
  let harness: TypeOrmHarness;
  let opened: Awaited<ReturnType<typeof openVerbs>>;

  beforeAll(async () => {
    harness = await typeormHarness(database);
    await harness.store.registerNode({ label: 'a', host: 'h', pid: 1 }, 0);
    for (const sql of FILL) await harness.hand(sql);
    await harness.hand('analyze {inbox}, {delivery}, {node}, {handler}, {completion}, {dead_letter}');
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

  it.each(VERBS)('%s scans no table', async (_, verb) => {
    const statements = statementsOf(verb(opened.verbs), (sql) => (sql.includes('version') ? [{ version: 1 }] : []));
    const scans = (await Promise.all(statements.map(plan)))
      .flat()
      .filter((node) => /Seq Scan on event_(delivery|inbox|completion|dead_letter)/.test(node));
    expect(statements).not.toEqual([]);
    expect(scans).toEqual([]);
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

describe(`on SQLite, with ${ROWS} rows`, () => {
  const database = sqliteFile();
  let harness: TypeOrmHarness;
  let opened: Awaited<ReturnType<typeof openVerbs>>;

  beforeAll(async () => {
    harness = await typeormHarness(database);
    for (const sql of FILL) await harness.hand(sql);
    opened = await openVerbs(database);
  });
  afterAll(async () => {
    await opened.source.destroy();
    await harness.dispose();
  });

  it.each(VERBS)('%s scans no table and sorts nothing', (_, verb) => {
    const rows = (sql: string): object[] => {
      if (sql.includes('registry')) return [{ version: 1 }];
      if (sql.includes('select min(available_at)')) return [{ due: 1_000 }];
      return [{ id: 1, priority: 50, handler: 'h1', seq: 1, type: 'a.b', event_seq: 1, errors: null }];
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
    const slow = steps.filter(
      (step) =>
        /^SCAN (d|i|c|l|event_(inbox|delivery|completion|dead_letter))\b(?!.*( VIRTUAL TABLE|USING (COVERING )?INDEX))/.test(
          step,
        ) || step.includes('TEMP B-TREE'),
    );
    expect(slow).toEqual([]);
  });
});
