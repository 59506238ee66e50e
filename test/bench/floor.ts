import Database from 'better-sqlite3';
import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import type { NewEvent, Settlement } from '../../libs/events/src/store/records.js';
import { leaseOf } from '../../libs/events/src/store/lease-of.js';
import { Dialect } from '../../libs/events/src/typeorm/dialect.js';
import { toNative, toResult } from '../../libs/events/src/typeorm/mysql/values.js';
import { TYPES } from '../../libs/events/src/typeorm/postgres/native-pool.js';
import {
  BEGIN,
  type EachStatement,
  type SqliteVerb,
  type Statement,
  type StatementResult,
} from '../../libs/events/src/typeorm/verb.js';
import { type Verbs, verbs } from '../../libs/events/src/typeorm/verbs.js';
import { BATCH, benchApp, PAYLOAD, perSecond, timed } from './bench-app.js';
import { type BenchDatabase, onDatabase } from './bench-database.js';

const CONNECTIONS = 4;
const NOTHING: StatementResult = { rows: [], count: 0, counts: [], rowIds: [] };

export interface FloorFigures {
  readonly floorBulk_s: number;
  readonly floorDrain_s: number;
  readonly exact: boolean;
}

/** A bare connection of the driver. */
interface Bare {
  command(sql: 'begin' | 'commit'): Promise<unknown>;
  execute(statement: Statement | EachStatement): Promise<StatementResult>;
  end(): Promise<void>;
}

/**
 * The least that the layout costs: the product's own statements of append, claim and settle on bare connections of the
 * driver, with nothing around them: no node, no handler, no chain. Same rows as the drain.
 */
export async function floor(db: string, events: number, handlers = 1): Promise<FloorFigures> {
  return onDatabase(db, async (database) => {
    // Makes the tables.
    await (await benchApp({ dataSource: database.options }, handlers)).close();
    const open = OPEN[database.options.type];
    if (!open) throw new Error(`there is no floor for ${db}`);
    const connections = await Promise.all(
      Array.from({ length: db === 'sqlite' ? 1 : CONNECTIONS }, () => open(database)),
    );
    try {
      return await measure(database, connections, events, handlers);
    } finally {
      for (const connection of connections) await connection.end();
    }
  });
}

async function measure(
  database: BenchDatabase,
  connections: readonly Bare[],
  events: number,
  handlers: number,
): Promise<FloorFigures> {
  const driver = database.source.driver as { searchSchema?: string; database?: string };
  const schema = database.options.type === 'mariadb' ? driver.database : driver.searchSchema;
  const verb: Verbs = verbs(new Dialect(database.source, 'event_', schema));
  const now = Date.now();
  const [first] = connections;
  const node = await run(first, verb.registerNode({ label: 'floor', host: 'h', pid: 1 }, now));
  const { version: registryVersion } = await run(first, verb.loadRegistry());
  const bulkMs = await timed(async () => {
    for (let done = 0; done < events; done += BATCH)
      await run(first, verb.append({ events: eventsFrom(done, handlers), registryVersion, now }));
  });
  const wants = Array.from({ length: handlers }, (_, index) => ({
    handler: `handler-${index}`,
    limit: Math.ceil((2 * BATCH) / (handlers + 1)),
  }));
  const work = async (connection: Bare) => {
    for (;;) {
      const claimed = (await run(connection, verb.claim({ node, wants, limit: BATCH, suspect: false }))) ?? [];
      if (claimed.length === 0) return;
      const settlements = claimed.map((one): Settlement => ({
        ...leaseOf(one),
        outcome: 'completed',
        attempts: 1,
        durationMs: 0,
      }));
      await run(connection, verb.settle(node, settlements, now));
    }
  };
  const drainMs = await timed(() => Promise.all(connections.map(work)));
  const exact = (await database.count('completion')) === events && (await database.count('delivery')) === 0;
  return { floorBulk_s: perSecond(events, bulkMs), floorDrain_s: perSecond(events, drainMs), exact };
}

function eventsFrom(done: number, handlers: number): NewEvent[] {
  return Array.from({ length: BATCH }, (_, index) => ({
    id: `01990000-0000-7000-8000-${String(done + index).padStart(12, '0')}`,
    generatedId: true,
    type: `bench.${(done + index) % handlers}`,
    version: 1,
    payload: JSON.stringify(PAYLOAD),
    headers: null,
    orderingKey: null,
    priority: null,
    occurredAt: done,
    availableAt: null,
    deliveries: [{ handler: `handler-${(done + index) % handlers}`, priority: 50, orderingKey: null }],
  }));
}

async function run<R>(connection: Bare, verb: SqliteVerb<R>): Promise<R> {
  let began = false;
  let step = verb.next(NOTHING);
  while (!step.done) {
    if (step.value !== BEGIN) step = verb.next(await connection.execute(step.value));
    else {
      began = true;
      await connection.command('begin');
      step = verb.next(NOTHING);
    }
  }
  if (began) await connection.command('commit');
  return step.value;
}

const OPEN: Partial<Record<string, (database: BenchDatabase) => Promise<Bare>>> = {
  async postgres({ options }) {
    const client = new Client({ connectionString: (options as { url: string }).url });
    await client.connect();
    await client.query('set enable_seqscan = off; set jit = off');
    return {
      command: (sql) => client.query(sql),
      async execute(statement) {
        const { sql, params, name } = statement as Statement;
        const { rows, rowCount } = await client.query<object>({ text: sql, values: [...params], name, types: TYPES });
        return { ...NOTHING, rows, count: rowCount ?? 0 };
      },
      end: () => client.end(),
    };
  },

  async mariadb({ options }) {
    const connection = await createConnection({ uri: (options as { url: string }).url });
    await connection.query('set session transaction isolation level read committed');
    return {
      command: (sql) => connection.query(sql),
      async execute(statement) {
        const { sql, params } = statement as Statement;
        const [answer] = await connection.query(sql, toNative(params));
        return toResult(answer);
      },
      end: () => connection.end(),
    };
  },

  'better-sqlite3': ({ options }) => {
    const database = new Database((options as { database: string }).database);
    database.pragma('synchronous = FULL');
    const prepared = new Map<string, Database.Statement>();
    const prepare = (sql: string) => {
      const statement = prepared.get(sql) ?? database.prepare(sql);
      prepared.set(sql, statement);
      return statement;
    };
    const execute = (statement: Statement | EachStatement): StatementResult => {
      const one = prepare(statement.sql);
      if ('each' in statement) {
        const written = statement.each.map((params) => one.run(...params));
        const rowIds = written.map(({ lastInsertRowid }) => Number(lastInsertRowid));
        return { ...NOTHING, counts: written.map(({ changes }) => changes), rowIds };
      }
      if (one.reader) return { ...NOTHING, rows: one.all(...statement.params) as object[] };
      return { ...NOTHING, count: one.run(...statement.params).changes };
    };
    return Promise.resolve({
      command: (sql) => Promise.resolve(database.exec(sql === 'begin' ? 'begin immediate' : sql)),
      execute: (statement) => Promise.resolve(execute(statement)),
      end: () => Promise.resolve(void database.close()),
    });
  },
};
