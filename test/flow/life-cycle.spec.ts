/** Start and stop beside the rest of an application: its schedules, and its clients. */
import { Inject, Injectable, Module, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Interval, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import { EventPublisher, EventsModule, EventsNode, OnEvent, type EventsModuleOptions } from 'nestjs-durable-events';
import { DataSource } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { databaseKinds, sqliteKind, type DatabaseKind } from '../support/database-kinds.js';

/** A client that a feature module opens when it starts and closes when it ends. */
@Injectable()
class Client implements OnModuleInit, OnModuleDestroy {
  open = false;

  async onModuleInit(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 50));
    this.open = true;
  }

  async onModuleDestroy(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.open = false;
  }
}

@Injectable()
class UsesClient {
  readonly openAtStart: boolean[] = [];
  readonly openAtEnd: boolean[] = [];

  constructor(private readonly client: Client) {}

  @OnEvent('client.needed', { concurrency: 5 })
  async run(): Promise<void> {
    this.openAtStart.push(this.client.open);
    await new Promise((resolve) => setTimeout(resolve, 30));
    this.openAtEnd.push(this.client.open);
  }
}

@Module({ providers: [Client, UsesClient], exports: [UsesClient] })
class FeatureModule {}

async function withDatabase<T>(
  kind: DatabaseKind,
  use: (dataSource: NonNullable<EventsModuleOptions['dataSource']>) => Promise<T>,
): Promise<T> {
  const database = await kind.create();
  try {
    return await use(database.options);
  } finally {
    await database.drop();
  }
}

describe.each(databaseKinds)('handlers and the clients of their modules, on $name', (kind) => {
  it('no handler runs before its client is open or after it is closed', async () => {
    await withDatabase(kind, async (dataSource) => {
      const boot = () =>
        Test.createTestingModule({
          // Imported first and last: the order of imports must not matter.
          imports: [EventsModule.forRoot({ dataSource }), FeatureModule],
        }).compile();

      // Deliveries wait from an earlier run, so handlers start as soon as the loops do.
      const first = await (await boot()).init();
      await first.get(EventsNode).pause();
      await first
        .get(EventPublisher)
        .publishAll(Array.from({ length: 40 }, () => ({ event: 'client.needed', payload: {} })));
      await first.close();

      const second = await boot();
      await second.init();
      const handler = second.get(UsesClient, { strict: false });
      await expect.poll(() => handler.openAtStart.length, { timeout: 5_000 }).toBeGreaterThanOrEqual(5);
      await second.close();
      expect(new Set(handler.openAtStart)).toEqual(new Set([true]));
      expect(handler.openAtEnd).toEqual(handler.openAtStart);
    });
  });
});

const TICK_MS = 50;

@Injectable()
class Ticker {
  ticks = 0;

  @Interval('app:tick', TICK_MS)
  tick(): void {
    this.ticks++;
  }
}

@Injectable()
class Slow {
  started = 0;
  ended = 0;

  @OnEvent('slow.work', { concurrency: 1 })
  async run(): Promise<void> {
    this.started++;
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    this.ended++;
  }
}

describe('an application with schedules of its own', () => {
  it('keeps its ticks, sees our maintenance in its registry, and the heartbeat beats through the whole drain', async () => {
    await withDatabase(sqliteKind, async (dataSource) => {
      const module = await Test.createTestingModule({
        imports: [ScheduleModule.forRoot(), EventsModule.forRoot({ dataSource, lease: '6s', shutdownTimeout: '5s' })],
        providers: [Ticker, Slow],
      }).compile();
      await module.init();
      const ticker = module.get(Ticker);
      const slow = module.get(Slow);

      expect(module.get(SchedulerRegistry, { strict: false }).getIntervals().toSorted()).toEqual([
        'app:tick',
        'events:prune',
        'events:rescue',
        'events:retire',
        'events:sample',
      ]);
      const startedAt = performance.now();
      const ticksBefore = ticker.ticks;
      await expect.poll(() => ticker.ticks - ticksBefore, { timeout: 5_000, interval: 5 }).toBeGreaterThanOrEqual(10);
      // Twice as many in the time would be two copies of the schedule.
      expect(performance.now() - startedAt).toBeGreaterThan(9 * TICK_MS - 20);

      await module.get(EventPublisher).publish('slow.work', {});
      await expect.poll(() => slow.started).toBe(1);
      const watcher = await new DataSource(dataSource as { type: 'better-sqlite3'; database: string }).initialize();
      const beats = new Set<number>();
      const closing = module.close();
      const watch = setInterval(() => {
        void watcher
          .query<{ beat: number }[]>('select beat from event_node')
          .then((rows) => rows.forEach(({ beat }) => beats.add(beat)));
      }, 50);
      await closing;
      clearInterval(watch);
      await watcher.destroy();
      expect(slow.ended).toBe(1);
      // Beats come every second here, and the drain took more than two.
      expect(beats.size).toBeGreaterThanOrEqual(2);
      expect(module.get(EventsNode).status).toBe('stopped');
    });
  });
});

describe('a publish in onModuleInit', () => {
  it('works in any module, and is delivered once', async () => {
    @Injectable()
    class Early implements OnModuleInit {
      seen = 0;

      constructor(@Inject(EventPublisher) private readonly publisher: EventPublisher) {}

      async onModuleInit(): Promise<void> {
        await this.publisher.publish('early.bird', {});
      }

      @OnEvent('early.bird')
      run(): void {
        this.seen++;
      }
    }
    await withDatabase(sqliteKind, async (dataSource) => {
      const module = await Test.createTestingModule({
        imports: [EventsModule.forRoot({ dataSource })],
        providers: [Early],
      }).compile();
      await module.init();
      await expect.poll(() => module.get(Early).seen, { timeout: 5_000 }).toBe(1);
      await module.close();
      expect(module.get(Early).seen).toBe(1);
    });
  });
});
