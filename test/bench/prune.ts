import { Injectable, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { EventPublisher, EventsModule, OnEvent, type EventsModuleOptions } from '../../libs/events/src/index.js';
import { Maintenance } from '../../libs/events/src/maintenance/maintenance.js';
import type { DatabaseKind } from '../support/database-kinds.js';
import { numbersUpTo } from '../support/numbers.js';

const PER_SECOND = 1_000;
const TICK_MS = 10;
const IDLE_MS = 5_000;
/** Enough for the figure; a prune that is not done by then is stopped. */
const LONGEST_BESIDE_MS = 30_000;

@Injectable()
class NoOp {
  @OnEvent('bench.event', { name: 'no-op' })
  run(): void {}
}

@Module({})
class BenchModule {
  static with(options: EventsModuleOptions): DynamicModule {
    return { module: BenchModule, imports: [EventsModule.forRoot(options)], providers: [NoOp] };
  }
}

interface PruneFigures {
  readonly db: string;
  readonly rows: number;
  readonly prunedRows: number;
  readonly idleP99Ms: number;
  readonly prunedP99Ms: number;
  readonly ratio: number;
  readonly prunedRows_s: number;
  readonly exact: boolean;
}

/** p99 of a publish while 1,000 events a second flow, alone and while the completed rows of a week ago are pruned. */
export async function prune(kind: DatabaseKind, rows: number): Promise<PruneFigures> {
  const database = await kind.create();
  const app = await NestFactory.createApplicationContext(BenchModule.with({ dataSource: database.options }), {
    logger: ['warn', 'error'],
  });
  const source = await new DataSource(database.options).initialize();
  try {
    await fill(source, rows);
    const maintenance = app.get(Maintenance, { strict: false });
    const publisher = app.get(EventPublisher);
    await flow(publisher, after(1_000));
    const idleP99 = await flow(publisher, after(IDLE_MS));
    const startedAt = performance.now();
    const pruning = maintenance.prune();
    const besideP99 = await flow(publisher, Promise.race([pruning, after(LONGEST_BESIDE_MS)]));
    maintenance.stop();
    await pruning;
    const prunedMs = performance.now() - startedAt;
    const count = async (from: string) => {
      const [row] = await source.query<{ n: string }[]>(`select count(*) as n from ${from}`);
      return Number(row?.n);
    };
    const [events, history] = [
      await count('event_inbox where received_at < 2'),
      await count('event_completion where finished_at < 2'),
    ];
    const prunedRows = 2 * rows - events - history;
    return {
      db: kind.name,
      rows,
      prunedRows,
      idleP99Ms: round(idleP99),
      prunedP99Ms: round(besideP99),
      ratio: round(besideP99 / idleP99),
      prunedRows_s: Math.round(prunedRows / (prunedMs / 1_000)),
      // History goes first, and no event before its own.
      exact: prunedRows > 0 && history <= events,
    };
  } finally {
    await source.destroy();
    await app.close();
    await database.drop();
  }
}

async function fill(source: DataSource, rows: number): Promise<void> {
  const numbers = numbersUpTo(rows);
  await source.query(`insert into event_inbox (seq, id, type, payload, bytes, received_at, fanned_out_at) ${numbers}
    select n, concat('old', n), 'bench.event', '{"n":1}', 7, 1, 1 from numbers`);
  await source.query(`insert into event_completion (event_seq, id, handler, outcome, attempts, finished_at) ${numbers}
    select n, -n, 'no-op', 'completed', 1, 1 from numbers`);
  if (source.options.type === 'postgres') {
    await source.query(`select setval(pg_get_serial_sequence('event_inbox', 'seq'), ${rows})`);
    await source.query('analyze event_inbox, event_completion');
  }
}

/** Publishes singly at a steady pace until then; answers the p99 of the publishes, in milliseconds. */
async function flow(publisher: EventPublisher, until: Promise<unknown>): Promise<number> {
  const latencies: number[] = [];
  const publishes = new Set<Promise<void>>();
  const publish = async () => {
    const startedAt = performance.now();
    await publisher.publish('bench.event', { amount: 1 });
    latencies.push(performance.now() - startedAt);
  };
  const startedAt = performance.now();
  let published = 0;
  const timer = setInterval(() => {
    for (; published < ((performance.now() - startedAt) * PER_SECOND) / 1_000; published++) {
      const one = publish().finally(() => publishes.delete(one));
      publishes.add(one);
    }
  }, TICK_MS);
  await until;
  clearInterval(timer);
  await Promise.all(publishes);
  return latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? NaN;
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
