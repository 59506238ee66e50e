import 'reflect-metadata';
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type INestApplicationContext, Injectable, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { DataSourceOptions } from 'typeorm';
import {
  DeliveryContext,
  EventMessage,
  EventPublisher,
  EventsHealthIndicator,
  EventsModule,
  OnEvent,
  type EventsModuleOptions,
  type OnEventOptions,
} from '../../libs/events/src/index.js';
import type { CallMessage } from './called-process.js';
import { serveCalls } from './serve-calls.js';

/**
 * One node in a process of its own that bad things happen to. Handler `work` does what the event says, and keeps a log of
 * its runs in a file, whatever becomes of the process and of the database.
 */
export interface SturdyNodeConfig {
  readonly dataSource: DataSourceOptions;
  /** One `RunLine` per line is appended to it. */
  readonly log: string;
  readonly events?: Omit<EventsModuleOptions, 'dataSource'>;
  /** Options of `work`. */
  readonly handler?: OnEventOptions;
  /** How far this machine's clock is off. */
  readonly skewMs?: number;
}

/** `effect`: a row into `effects` through `context.transaction`. `wait`: runs until `letGo`, or until it is aborted. */
export interface SturdyPayload {
  readonly n: number;
  readonly act: 'nothing' | 'effect' | 'wait' | 'fail-once' | 'exit' | 'eat-memory';
  /** How long it takes. */
  readonly ms?: number;
}

export interface RunLine {
  readonly n: number;
  readonly pid: number;
  readonly attempt: number;
  /** Epoch milliseconds of the true clock. */
  readonly at: number;
  readonly what: 'begins' | 'ends' | 'fails' | 'is aborted';
}

/** What came of a publish, `stored` or the code of its error, and how long that took. */
export interface PublishTry {
  readonly result: string;
  readonly tookMs: number;
}

/** What a test may call in the node's process. */
export interface SturdyNodeMethods {
  publish(payloads: readonly SturdyPayload[]): Promise<PublishTry>;
  /** This many publish one event after another for so long; answers which were stored, and each code it failed with. */
  publishFor(ms: number, publishers: number, from: number): Promise<{ stored: number[]; codes: string[] }>;
  health(): Promise<{ status: string; live: string; message: string; tookMs: number }>;
  /** `heldMb`: what is left of its memory when garbage is collected. */
  usage(): Promise<{ cpuMs: number; heldMb: number }>;
  letGo(): Promise<void>;
}

const config = JSON.parse(process.argv[2] ?? '{}') as SturdyNodeConfig;
const trueNow = () => Math.round(performance.timeOrigin + performance.now());
const { skewMs = 0 } = config;
if (skewMs !== 0) Date.now = () => trueNow() + skewMs;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

let letGo: () => void;
const free = new Promise<void>((resolve) => (letGo = resolve));

function note(n: number, attempt: number, what: RunLine['what']): void {
  const line: RunLine = { n, pid: process.pid, attempt, at: trueNow(), what };
  appendFileSync(config.log, `${JSON.stringify(line)}\n`);
}

@Injectable()
class Work {
  @OnEvent('work.done', { name: 'work', ...config.handler })
  async run({ payload }: EventMessage<SturdyPayload>, context: DeliveryContext): Promise<void> {
    const { n } = payload;
    const { attempt, signal } = context;
    note(n, attempt, 'begins');
    try {
      await act(payload, context);
      note(n, attempt, 'ends');
    } catch (error) {
      note(n, attempt, signal.aborted ? 'is aborted' : 'fails');
      throw error;
    }
  }
}

async function act({ n, act, ms = 0 }: SturdyPayload, context: DeliveryContext): Promise<void> {
  const { attempt, signal } = context;
  if (ms > 0) await sleep(ms, undefined, { signal });
  if (act === 'exit') process.exit(7);
  if (act === 'eat-memory')
    for (const eaten: unknown[] = []; ;) eaten.push(Array.from({ length: 10_000 }, () => n + 0.5));
  if (act === 'fail-once' && attempt === 1) throw new Error('the first attempt fails');
  if (act === 'wait') {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    await Promise.race([free, aborted]);
  }
  if (act === 'effect') {
    await context.transaction(async (manager) => {
      await manager.query(`insert into effects (n, pid) values (${n}, ${process.pid})`);
    });
  }
}

@Module({
  imports: [EventsModule.forRoot({ ...config.events, dataSource: config.dataSource })],
  providers: [Work as Type],
})
class SturdyModule {}

function methodsOf(app: INestApplicationContext): SturdyNodeMethods {
  const publisher = app.get(EventPublisher);
  const indicator = app.get(EventsHealthIndicator);
  const timed = async (run: () => Promise<unknown>): Promise<PublishTry> => {
    const startedAt = performance.now();
    let result = 'stored';
    try {
      await run();
    } catch (error) {
      result = String((error as { code?: unknown }).code ?? error);
    }
    return { result, tookMs: performance.now() - startedAt };
  };
  return {
    publish: (payloads) =>
      timed(() => publisher.publishAll(payloads.map((payload) => ({ event: 'work.done', payload: { ...payload } })))),
    async publishFor(ms, publishers, from) {
      const until = performance.now() + ms;
      const stored: number[] = [];
      const codes = new Set<string>();
      let next = from;
      const publishing = Array.from({ length: publishers }, async () => {
        while (performance.now() < until) {
          const n = next++;
          const { result } = await timed(() => publisher.publish('work.done', { n, act: 'nothing' }));
          if (result === 'stored') stored.push(n);
          else codes.add(result);
        }
      });
      await Promise.all(publishing);
      return { stored, codes: [...codes] };
    },
    async health() {
      const startedAt = performance.now();
      const { events } = await indicator.isHealthy('events');
      const { status, message } = events as { status: string; message?: string };
      const { status: live } = indicator.liveness('events').events;
      return { status, live, message: message ?? '', tookMs: performance.now() - startedAt };
    },
    usage() {
      const { user, system } = process.cpuUsage();
      collectGarbage();
      const { heapUsed, external } = process.memoryUsage();
      return Promise.resolve({ cpuMs: (user + system) / 1_000, heldMb: (heapUsed + external) / 2 ** 20 });
    },
    letGo: () => Promise.resolve(letGo()),
  };
}

function send(message: CallMessage): void {
  process.send?.(message);
}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(SturdyModule, {
    logger: ['log', 'warn', 'error'],
    abortOnError: false,
  });
  app.enableShutdownHooks();
  serveCalls(methodsOf(app), () => app.close());
  // The node must not go on when nobody steers it any more.
  process.once('disconnect', () => process.exit());
  send({ kind: 'ready' });
}

try {
  await main();
} catch (error) {
  send({ kind: 'failed', code: (error as { code?: string }).code, text: String(error) });
  process.exitCode = 1;
  process.disconnect();
}
