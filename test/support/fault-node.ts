import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import { EventsTestingModule, type InjectedFault } from '../../libs/events/src/testing/index.js';
import { createTypeOrmStore } from '../../libs/events/src/typeorm/create-store.js';
import {
  faultNode,
  leaveWork,
  type Ledger,
  nodeProviders,
  type HandlerName,
  type Strike,
  STRIKER,
  striker,
} from './fault-scene.js';

export const FAULT_TABLES = [
  'create table runs (n integer not null)',
  'create table effects (n integer not null)',
] as const;

/** A node on a database, struck as it is said. */
export class FaultNode {
  private constructor(
    readonly app: INestApplicationContext,
    private readonly source: DataSource,
    private readonly strike: Strike | undefined,
  ) {}

  static async start(
    options: DataSourceOptions,
    handlers: readonly HandlerName[],
    strike?: Strike,
    onCrash?: () => void,
  ): Promise<FaultNode> {
    const source = await new DataSource(options).initialize();
    const events = EventsTestingModule.onDatabase({
      dataSource: source,
      pollInterval: '100ms',
      lease: '6s',
      shutdownTimeout: '3s',
    });
    const providers = [...nodeProviders(handlers, sqlLedger(source)), ...(strike ? [striker(strike, onCrash)] : [])];
    try {
      const app = await NestFactory.createApplicationContext(faultNode(events, providers), {
        logger: false,
        abortOnError: false,
      });
      return new FaultNode(app, source, strike);
    } catch (error) {
      await source.destroy();
      throw error;
    }
  }

  /** How often it was struck; undefined when nothing was injected. */
  get strikes(): number | undefined {
    return this.strike && this.app.get<InjectedFault>(STRIKER).strikes;
  }

  async close(): Promise<void> {
    await this.app.close();
    await this.source.destroy();
  }
}

/** Leaves the work in a database. */
export async function leaveWorkIn(options: DataSourceOptions, handlers: readonly HandlerName[]): Promise<void> {
  const clock = new SystemClock();
  const names = { tablePrefix: 'event_', schema: undefined, migrate: true, transactionTimeoutMs: 5_000 };
  const store = createTypeOrmStore(names, clock, options, undefined);
  await store.open();
  await leaveWork(store, handlers, clock.now());
  await store.close();
}

function sqlLedger(source: DataSource): Ledger {
  const value = source.options.type === 'postgres' ? '$1' : '?';
  return {
    effect: (n, manager) => manager.query(`insert into effects (n) values (${value})`, [n]),
    run: (n) => source.query(`insert into runs (n) values (${value})`, [n]),
  };
}
