import { Injectable, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { EventsModule, EventsNode, OnEvent, type EventsModuleOptions } from '../../libs/events/src/index.js';
import { postgresKind } from '../support/database-kinds.js';
import { until } from './until.js';

let runs = 0;

@Injectable()
class NoOp {
  @OnEvent('bench.idle', { name: 'no-op' })
  run(): void {
    runs++;
  }
}

@Module({})
class BenchModule {
  static with(options: EventsModuleOptions): DynamicModule {
    return { module: BenchModule, imports: [EventsModule.forRoot(options)], providers: [NoOp] };
  }
}

interface IdleSessionFigures {
  readonly events: number;
  readonly alone_s: number;
  readonly withIdleSession_s: number;
  readonly ratio: number;
  readonly exact: boolean;
}

/**
 * The drain on PostgreSQL, alone and while some session (a backup, a report) is idle in a transaction, so that the
 * database must keep every row that is claimed and settled meanwhile.
 */
export async function idleSession(events: number): Promise<IdleSessionFigures> {
  const alone = await drain(events, false);
  const beside = await drain(events, true);
  return {
    events,
    alone_s: alone.perSecond,
    withIdleSession_s: beside.perSecond,
    ratio: Math.round((beside.perSecond / alone.perSecond) * 100) / 100,
    exact: alone.exact && beside.exact,
  };
}

async function drain(events: number, idle: boolean): Promise<{ perSecond: number; exact: boolean }> {
  runs = 0;
  const database = await postgresKind.create();
  const source = await new DataSource(database.options).initialize();
  const app = await NestFactory.createApplicationContext(BenchModule.with({ dataSource: database.options }), {
    logger: ['warn', 'error'],
  });
  const session = source.createQueryRunner();
  try {
    const node = app.get(EventsNode);
    await node.pause();
    await source.query(`insert into event_inbox (seq, id, type, payload, bytes, fanned_out_at)
      select n, 'e' || n, 'bench.idle', '{"n":1}', 7, 1 from generate_series(1, ${events}) n`);
    await source.query(`insert into event_delivery (id, event_seq, handler, priority)
      select n, n, 'no-op', 50 from generate_series(1, ${events}) n`);
    await source.query('vacuum analyze event_inbox, event_delivery');
    const count = async (table: string) => {
      const [row] = await source.query<{ n: string }[]>(`select count(*) as n from event_${table}`);
      return Number(row?.n);
    };
    if (idle) {
      await session.startTransaction('REPEATABLE READ');
      await session.query('select 1');
    }
    const startedAt = performance.now();
    await node.resume();
    await until('the drain', async () => runs >= events && (await count('delivery')) === 0);
    const ms = performance.now() - startedAt;
    const exact = runs === events && (await count('completion')) === events;
    if (idle) await session.rollbackTransaction();
    return { perSecond: Math.round(events / (ms / 1_000)), exact };
  } finally {
    await session.release();
    await app.close();
    await source.destroy();
    await database.drop();
  }
}
