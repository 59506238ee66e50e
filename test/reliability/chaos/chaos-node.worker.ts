import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataSource, type EntityManager } from 'typeorm';
import {
  DeliveryContext,
  EventMessage,
  EventsModule,
  OnEvent,
  PermanentError,
} from '../../../libs/events/src/index.js';
import type { ChaosCommand, ChaosMessage, ChaosProcessConfig } from './chaos-process.js';
import { Journal, monotonicUs } from './journal.js';
import { Random } from './random.js';
import { LEASE_MS } from './scenario.js';
import { bound } from './statement.js';

/** A node with all handlers of the scenario. Each run writes into this process' journal. */
const config = JSON.parse(process.argv[2]) as ChaosProcessConfig;
const journal = new Journal(config.journal);
const dataSource = new DataSource(config.dataSource);
const insertEffect = bound(config.dataSource.type, 'insert into effects (event_id, handler, run) values (?, ?, ?)');
/** On SQLite it holds up every writer. */
const LONGEST_TRANSACTION_MS = config.dataSource.type === 'better-sqlite3' ? 50 : 1_500;
let runs = 0;

class Run {
  readonly random: Random;
  private readonly id = `${config.name}#${++runs}`;
  private ended = false;

  constructor(
    private readonly event: EventMessage,
    readonly context: DeliveryContext,
  ) {
    this.random = new Random(config.seed, context.handler, context.deliveryId, context.attempt);
  }

  /** Runs `work` between the lines of the journal. */
  static async of(event: EventMessage, context: DeliveryContext, work: (run: Run) => Promise<void>): Promise<void> {
    const run = new Run(event, context);
    const { id } = run;
    journal.write({
      kind: 'begin',
      run: id,
      delivery: context.deliveryId,
      event: event.id,
      handler: context.handler,
      orderingKey: event.orderingKey,
      attempt: context.attempt,
      pid: process.pid,
      epochMs: Date.now(),
    });
    context.signal.addEventListener('abort', () => {
      if (!run.ended) journal.write({ kind: 'abort', run: id, why: String(context.signal.reason) });
    });
    try {
      await work(run);
      run.ended = true;
      journal.write({ kind: 'end', run: id });
    } catch (error) {
      run.ended = true;
      journal.write({ kind: 'end', run: id, error: String(error) });
      throw error;
    }
  }

  done(): void {
    journal.write({ kind: 'done', run: this.id });
  }

  /** One row in the transaction that completes the delivery. */
  async effect(last?: () => unknown): Promise<void> {
    await this.context.transaction(async (manager: EntityManager) => {
      await manager.query(insertEffect, [this.event.id, this.context.handler, this.id]);
      await last?.();
      this.done();
    });
  }
}

function fail(why: string): never {
  throw new Error(why);
}

@Injectable()
class Handlers {
  @OnEvent('chaos.*', { name: 'booking', concurrency: 20 })
  booking(event: EventMessage, context: DeliveryContext): Promise<void> {
    return Run.of(event, context, (run) => run.effect());
  }

  @OnEvent('chaos.paid', { name: 'plain' })
  plain(event: EventMessage, context: DeliveryContext): Promise<void> {
    return Run.of(event, context, async (run) => {
      await sleep(run.random.between(0, 20), undefined, { signal: context.signal });
      run.done();
    });
  }

  /** Fails before its transaction, or inside it with its effect already written. */
  @OnEvent('chaos.paid', { name: 'flaky' })
  flaky(event: EventMessage, context: DeliveryContext): Promise<void> {
    return Run.of(event, context, async (run) => {
      if (run.random.chance(0.15)) fail('flaky before its transaction');
      await run.effect(run.random.chance(0.15) ? () => fail('flaky in its transaction') : undefined);
    });
  }

  /**
   * Takes its time before its transaction, or inside it with only the fence to come: whoever is stopped there and goes on
   * after its lease asks the fence before it can have learned that the lease is gone.
   */
  @OnEvent('chaos.slow', { name: 'slow', priority: 20 })
  slow(event: EventMessage, context: DeliveryContext): Promise<void> {
    return Run.of(event, context, async (run) => {
      if (run.random.chance(0.5)) {
        await run.effect(() => sleep(run.random.between(0, LONGEST_TRANSACTION_MS)));
        return;
      }
      await sleep(run.random.between(200, 4_000), undefined, { signal: context.signal });
      await run.effect();
    });
  }

  /** Now and then overruns its timeout, does not heed its signal, and tries to have its effect all the same. */
  @OnEvent('chaos.stubborn', { name: 'stubborn', timeout: '1s' })
  stubborn(event: EventMessage, context: DeliveryContext): Promise<void> {
    return Run.of(event, context, async (run) => {
      if (run.random.chance(0.25)) await sleep(run.random.between(1_200, 2_500));
      await run.effect();
    });
  }

  @OnEvent('chaos.doomed', { name: 'doomed', circuit: false, retry: { maxAttempts: 3 } })
  doomed(event: EventMessage, context: DeliveryContext): Promise<void> {
    return Run.of(event, context, async (run) => {
      await sleep(1);
      if (run.random.chance(0.3)) throw new PermanentError('doomed for good');
      fail('doomed');
    });
  }

  /** A failure must hold up the lane, not let the next one pass. */
  @OnEvent('chaos.keyed', { name: 'ordered', ordering: true })
  ordered(event: EventMessage, context: DeliveryContext): Promise<void> {
    return Run.of(event, context, async (run) => {
      await sleep(run.random.between(0, 10), undefined, { signal: context.signal });
      if (run.random.chance(0.1)) fail('ordered before its transaction');
      await run.effect();
    });
  }
}

@Module({
  imports: [
    EventsModule.forRoot({
      dataSource,
      lease: LEASE_MS,
      shutdownTimeout: 1_500,
      pollInterval: 300,
      concurrency: 40,
      scheduler: config.cooperative ? 'cooperative' : 'concurrent',
      nodeId: config.name,
      defaults: {
        retry: { maxAttempts: 50, backoff: 'fixed', initialDelay: 200, jitter: 'equal' },
        circuit: { openDuration: 1_500, successThreshold: 1 },
      },
    }),
  ],
  providers: [Handlers as Type],
})
class ChaosNodeModule {}

/** A process that was starved or stopped is not bound to what a lease promises while others may take it for dead. */
function watchForStalls(): void {
  let last = monotonicUs();
  setInterval(() => {
    const now = monotonicUs();
    if (now - last > (LEASE_MS / 2) * 1_000) journal.write({ kind: 'stall', sinceUs: last });
    last = now;
  }, 200).unref();
}

async function main(): Promise<void> {
  watchForStalls();
  await dataSource.initialize();
  const app = await NestFactory.createApplicationContext(ChaosNodeModule, { logger: ['warn', 'error'] });
  app.enableShutdownHooks();
  process.on('message', (_command: ChaosCommand) => {
    void app.close().then(() => process.disconnect());
  });
  process.channel?.unref();
  process.once('disconnect', () => process.exit());
  process.send?.({ kind: 'ready' } satisfies ChaosMessage);
}

await main();
