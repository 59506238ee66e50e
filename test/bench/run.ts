import 'reflect-metadata';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { Injectable, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataSource, type DataSourceOptions } from 'typeorm';
import {
  EventPublisher,
  EventsModule,
  EventsNode,
  EventsStats,
  OnEvent,
  type EventsModuleOptions,
} from '../../libs/events/src/index.js';
import { postgresKind, sqliteKind, type DatabaseKind } from '../support/database-kinds.js';

/**
 * Measures publish and drain with a handler that does nothing: history kept, default policies on, one outcome per
 * delivery. A run counts only if it was exact: as many runs as events, as many completions, no live row left.
 */
const { values: flags } = parseArgs({
  options: {
    db: { type: 'string', default: 'sqlite,postgres,memory' },
    events: { type: 'string', default: '30000' },
    concurrency: { type: 'string', default: '10' },
    json: { type: 'boolean', default: false },
  },
});

const EVENTS = Number(flags.events);
const SINGLE_CALLERS = 16;
const SINGLES = 2_000;
const PAYLOAD = { paymentId: 'p-0123456789', amount: 1234.56, currency: 'EUR', note: 'x'.repeat(30) };

interface Figures {
  db: string;
  publishBulk_s: number;
  publish1_s: number;
  drain_s: number;
  latencyP50Ms: number;
  latencyP99Ms: number;
  rssMb: number;
  exact: boolean;
}

let runs = 0;
let onRun: (() => void) | undefined;

@Injectable()
class NoOp {
  @OnEvent('bench.event', { name: 'no-op', concurrency: Number(flags.concurrency) })
  run(): void {
    runs++;
    onRun?.();
  }
}

@Module({})
class BenchModule {
  static with(options: EventsModuleOptions): DynamicModule {
    return { module: BenchModule, imports: [EventsModule.forRoot(options)], providers: [NoOp] };
  }
}

async function measure(
  db: string,
  options: EventsModuleOptions,
  count: (table: string) => Promise<number>,
): Promise<Figures> {
  runs = 0;
  const app = await NestFactory.createApplicationContext(BenchModule.with(options), { logger: ['warn', 'error'] });
  const publisher = app.get(EventPublisher);
  const node = app.get(EventsNode);
  await node.pause();

  const batch = Array.from({ length: 500 }, () => ({ event: 'bench.event', payload: PAYLOAD }));
  const bulkMs = await timed(async () => {
    for (let done = 0; done < EVENTS; done += batch.length) await publisher.publishAll(batch);
  });
  const singlesMs = await timed(async () => {
    const caller = async () => {
      for (let i = 0; i < SINGLES / SINGLE_CALLERS; i++) await publisher.publish('bench.event', PAYLOAD);
    };
    await Promise.all(Array.from({ length: SINGLE_CALLERS }, caller));
  });
  const total = Math.ceil(EVENTS / 500) * 500 + SINGLES;
  const drainMs = await timed(async () => {
    await node.resume();
    await until(async () => runs >= total && (await count('delivery')) === 0);
  });
  const rssMb = process.memoryUsage.rss() / 2 ** 20;

  const latencies: number[] = [];
  for (let i = 0; i < 200; i++) {
    const started = new Promise<void>((resolve) => (onRun = resolve));
    const publishedAt = performance.now();
    await publisher.publish('bench.event', PAYLOAD);
    await started;
    latencies.push(performance.now() - publishedAt);
    onRun = undefined;
  }
  latencies.sort((a, b) => a - b);
  const stats = () => app.get(EventsStats).snapshot().total;
  await until(async () => (await count('delivery')) === 0 && stats().inFlight === 0);
  const exact =
    runs === total + 200 && stats().completed === runs && (db === 'memory' || (await count('completion')) === runs);
  await app.close();
  return {
    db,
    publishBulk_s: Math.round((total - SINGLES) / (bulkMs / 1_000)),
    publish1_s: Math.round(SINGLES / (singlesMs / 1_000)),
    drain_s: Math.round(total / (drainMs / 1_000)),
    latencyP50Ms: round(latencies[100] ?? NaN),
    latencyP99Ms: round(latencies[198] ?? NaN),
    rssMb: Math.round(rssMb),
    exact,
  };
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function until(done: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!(await done())) {
    if (performance.now() > deadline) throw new Error(`gave up after 120 s with ${runs} runs`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** Counts rows on a connection of its own. */
async function withCounter<T>(
  dataSource: DataSourceOptions,
  use: (count: (table: string) => Promise<number>) => Promise<T>,
): Promise<T> {
  const counter = new DataSource(dataSource);
  await counter.initialize();
  try {
    return await use(async (table) => {
      const [row] = await counter.query<{ n: string }[]>(`select count(*) as n from event_${table}`);
      return Number(row?.n);
    });
  } finally {
    await counter.destroy();
  }
}

/** On a database of its own, which goes when it is done. */
async function onDatabase(kind: DatabaseKind): Promise<Figures> {
  const database = await kind.create();
  const { options: dataSource } = database;
  try {
    return await withCounter(dataSource, (count) => measure(kind.name, { dataSource }, count));
  } finally {
    await database.drop();
  }
}

const bench: Record<string, () => Promise<Figures>> = {
  sqlite: () => onDatabase(sqliteKind),
  postgres: () => onDatabase(postgresKind),
  memory: () => measure('memory', { store: 'memory' }, () => Promise.resolve(0)),
};

const results: Figures[] = [];
for (const db of flags.db.split(',')) {
  const run = bench[db];
  if (!run) throw new Error(`--db knows ${Object.keys(bench).join(', ')}, not ${db}`);
  results.push(await run());
}
console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim()}, ${EVENTS} events, no-op handler`);
console.table(results);
if (flags.json) console.log(JSON.stringify({ node: process.version, cpu: cpus()[0]?.model.trim(), results }));
if (results.some(({ exact }) => !exact)) {
  console.error('a run was not exact: its figures mean nothing');
  process.exitCode = 1;
}
