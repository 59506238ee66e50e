import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataSource, type EntityManager } from 'typeorm';
import { EventPublisher, EventsModule, type NewEvent } from '../../../libs/events/src/index.js';
import type { ChaosCommand, ChaosMessage, ChaosProcessConfig } from './chaos-process.js';
import type { PlannedEvent } from './journal-lines.js';
import { Journal } from './journal.js';
import { planPublishing, type PlannedTransaction } from './publish-plan.js';
import { Random } from './random.js';
import { bound } from './statement.js';

/** Publishes without a pause until it is told to stop, and writes down what it knows of each transaction. */
const config = JSON.parse(process.argv[2]) as ChaosProcessConfig;
const journal = new Journal(config.journal);
const dataSource = new DataSource(config.dataSource);
const insertBusiness = bound(config.dataSource.type, 'insert into business (id) values (?)');

@Module({ imports: [EventsModule.forRoot({ dataSource, handlers: false, nodeId: config.name })] })
class ChaosPublisherModule {}

class RollBack extends Error {}

class Publishing {
  constructor(private readonly publisher: EventPublisher) {}

  async carryOut(plan: PlannedTransaction): Promise<boolean> {
    const { tx, route, events, rollBack } = plan;
    journal.write({ kind: 'begin-transaction', tx, route, events });
    try {
      await this.publish(plan);
      if (rollBack) throw new Error('the transaction was to be rolled back');
      journal.write({ kind: 'end-transaction', tx, result: 'committed' });
      return true;
    } catch (error) {
      const result = error instanceof RollBack ? 'rolled-back' : 'unknown';
      journal.write({ kind: 'end-transaction', tx, result, error: String(error) });
      return result === 'rolled-back';
    }
  }

  private async publish({ tx, route, events, rollBack }: PlannedTransaction): Promise<void> {
    const { publisher } = this;
    const finish = () => {
      if (rollBack) throw new RollBack('rolled back on purpose');
    };
    switch (route) {
      case 'ambient':
        await publisher.transaction(async (manager) => {
          await writeBusiness(manager, tx);
          for (const event of events) {
            const { event: type, payload, ...options } = toRequest(event);
            await publisher.publish(type, payload, options);
          }
          finish();
        });
        break;
      case 'manager':
        await dataSource.transaction(async (manager) => {
          await writeBusiness(manager, tx);
          await publisher.publishAll(events.map(toRequest), { manager });
          finish();
        });
        break;
      case 'all':
        await publisher.publishAll(events.map(toRequest));
        break;
      case 'single': {
        const { event: type, payload, ...options } = toRequest(events[0]);
        await publisher.publish(type, payload, options);
      }
    }
  }
}

async function writeBusiness(manager: EntityManager, tx: string): Promise<void> {
  await manager.query(insertBusiness, [tx]);
}

function toRequest({ id, type, orderingKey, priority, delayMs }: PlannedEvent): NewEvent {
  return { event: type, payload: { id }, id, orderingKey, priority, delay: delayMs };
}

async function main(): Promise<void> {
  await dataSource.initialize();
  const app = await NestFactory.createApplicationContext(ChaosPublisherModule, { logger: ['warn', 'error'] });
  app.enableShutdownHooks();
  let stopped = false;
  process.on('message', (_command: ChaosCommand) => (stopped = true));
  process.channel?.unref();
  process.once('disconnect', () => process.exit());
  process.send?.({ kind: 'ready' } satisfies ChaosMessage);

  const publishing = new Publishing(app.get(EventPublisher));
  const random = new Random(config.seed, config.name);
  for (const plan of planPublishing(config.name, random)) {
    if (stopped) break;
    const known = await publishing.carryOut(plan);
    await sleep(known ? random.between(20, 120) : 300);
  }
  await app.close();
  process.disconnect();
}

await main();
