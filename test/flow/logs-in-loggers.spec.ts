/** Scope: the lines of one run as Nest's console writes them (text and JSON), and as nestjs-pino does, each of them once. */
import { Writable } from 'node:stream';
import {
  ConsoleLogger,
  Injectable,
  Logger as NestLogger,
  type DynamicModule,
  Module,
  type LoggerService,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Logger, LoggerModule, NativeLogger } from 'nestjs-pino';
import {
  DeliveryContext,
  EventMessage,
  EventPublisher,
  EventsModule,
  EventsStats,
  OnEvent,
  PermanentError,
} from 'nestjs-durable-events';
import { afterEach, describe, expect, it, vi } from 'vitest';

@Injectable()
class Work {
  @OnEvent('work.due', { name: 'work', retry: { maxAttempts: 2, initialDelay: 1, jitter: 'none' }, circuit: false })
  run(_event: EventMessage, { attempt }: DeliveryContext): void {
    if (attempt === 1) throw new Error('try again');
    throw new PermanentError('no such account');
  }
}

const WHO = 'work, event work.due e, delivery 1, attempt';
const LABELS = { handler: 'work', type: 'work.due', eventId: 'e', deliveryId: '1' };
const RETRIED = expect.stringMatching(new RegExp(`^${WHO} 1: Error: try again; again in \\d ms$`)) as string;
const DEAD = `${WHO} 2: dead letter (rejected)`;
const STORED = 'events are stored in memory (nothing is durable)';
const STACK = /^PermanentError: no such account\n +at .*logs-in-loggers\.spec/;

/** Boots, runs one event to its end, and closes; `choose` takes the logger out of the application. */
async function run(logger: LoggerService | undefined, choose?: Type<LoggerService>, modules: DynamicModule[] = []) {
  @Module({
    imports: [...modules, EventsModule.forRoot({ store: 'memory', pollInterval: '10ms' })],
    providers: [Work],
  })
  class App {}
  // Lines of the boot come before the logger that is to write them.
  const app = await NestFactory.createApplicationContext(App, logger ? { logger } : { bufferLogs: true });
  if (choose) app.useLogger(app.get(choose));
  app.flushLogs();
  try {
    await app.get(EventPublisher).publish('work.due', {}, { id: 'e' });
    const dead = () => app.get(EventsStats).snapshot().handlers['work'].dead;
    await expect.poll(dead, { timeout: 10_000, interval: 5 }).toBe(1);
  } finally {
    await app.close();
  }
}

afterEach(() => {
  vi.restoreAllMocks();
  NestLogger.overrideLogger(new ConsoleLogger());
});

/** What the console gets during a run. */
async function consoleOf(logger: ConsoleLogger): Promise<string[]> {
  const written: string[] = [];
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  try {
    await run(logger);
  } finally {
    vi.restoreAllMocks();
  }
  return written;
}

describe('Nest’s console', () => {
  it('writes lines of text that say it all, a stack after its line, and no fields', async () => {
    const written = await consoleOf(new ConsoleLogger({ colors: false }));
    const texts = written.map(
      (text) => /^\[Nest\] \d+ {2}- .*? {2,}([A-Z]+) (.*)\n$/.exec(text)?.slice(1).join(' ') ?? text,
    );
    expect(
      texts.filter((text) => /\[EventsModule|DeliveryRunner|^Perm/.test(text) && !text.includes('SIGTERM')),
    ).toEqual([
      `LOG [EventsModule] ${STORED}`,
      'LOG [EventsModule] node 1 runs up to 100 deliveries at once, concurrent scheduler',
      'LOG [EventsModule] work handles work.due: priority 50, concurrency 10, timeout 30000 ms, 2 attempts, no circuit breaker',
      expect.stringMatching(new RegExp(`^WARN .DeliveryRunner. ${WHO} 1: Error: try again; again in \\d ms$`)),
      `ERROR [DeliveryRunner] ${DEAD}`,
      expect.stringMatching(STACK),
    ]);
  });

  it('writes one JSON object per line, its fields as params', async () => {
    const written = await consoleOf(new ConsoleLogger({ json: true }));
    const lines = written.map((text) => JSON.parse(text) as Record<string, unknown>);
    const those = lines.filter(({ context }) => context === 'DeliveryRunner');
    expect(those).toEqual([
      {
        level: 'warn',
        pid: process.pid,
        timestamp: expect.any(Number),
        message: RETRIED,
        context: 'DeliveryRunner',
        params: {
          fact: 'retried',
          ...LABELS,
          attempt: 1,
          durationMs: expect.any(Number),
          delayMs: expect.any(Number) as number,
          error: 'Error',
        },
      },
      {
        level: 'error',
        pid: process.pid,
        timestamp: expect.any(Number),
        message: DEAD,
        context: 'DeliveryRunner',
        stack: expect.stringMatching(STACK),
        params: expect.objectContaining({ fact: 'dead', ...LABELS, attempt: 2, error: 'PermanentError' }),
      },
    ]);
  });

  it('writes fields beside each other where it flattens them, and none where it takes none', async () => {
    const flat = await consoleOf(new ConsoleLogger({ json: true, flattenParams: true }));
    expect(flat.map((text) => JSON.parse(text) as object).find((line) => 'fact' in line)).toMatchObject({
      level: 'warn',
      message: RETRIED,
      ...LABELS,
    });
    const none = await consoleOf(new ConsoleLogger({ json: true, structuredParams: false }));
    expect(none.filter((text) => text.includes('DeliveryRunner'))).toHaveLength(2);
  });
});

describe('nestjs-pino', () => {
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of String(chunk).trim().split('\n')) lines.push(JSON.parse(line) as Record<string, unknown>);
      done();
    },
  });
  // It makes one pino for the whole process. Many applications call the message by another name than pino does.
  const pino = LoggerModule.forRoot({ pinoHttp: [{ level: 'trace', base: null, messageKey: 'message' }, stream] });

  /** The lines of a run, boot included, as they come out of pino. */
  async function linesOf(logger: Type<LoggerService>): Promise<Record<string, unknown>[]> {
    lines.length = 0;
    await run(undefined, logger, [pino]);
    const own = lines.filter(({ context }) => /^(EventsModule|DeliveryRunner)$/.test(String(context)));
    return own.filter((line) => !JSON.stringify(line).includes('SIGTERM')).map(({ time: _time, ...line }) => line);
  }

  const boot = {
    handler: 'work',
    patterns: ['work.due'],
    priority: 50,
    concurrency: 10,
    timeoutMs: 30_000,
    maxAttempts: 2,
  };
  const nodeText = 'node 1 runs up to 100 deliveries at once, concurrent scheduler';
  const node = { node: '1', concurrency: 100, scheduler: 'concurrent' };
  const database = { database: 'memory (nothing is durable)' };
  const retried = {
    fact: 'retried',
    ...LABELS,
    attempt: 1,
    durationMs: expect.any(Number) as number,
    delayMs: expect.any(Number) as number,
    error: 'Error',
  };
  const dead = {
    fact: 'dead',
    ...LABELS,
    attempt: 2,
    durationMs: expect.any(Number) as number,
    reason: 'rejected',
    error: 'PermanentError',
  };

  it('writes each line once, its fields beside level and context, the stack as err; lines of the boot, too', async () => {
    const stack = expect.stringMatching(STACK) as string;
    expect(await linesOf(Logger)).toEqual([
      { level: 30, context: 'EventsModule', message: STORED, ...database },
      { level: 30, context: 'EventsModule', message: nodeText, ...node },
      { level: 30, context: 'EventsModule', message: expect.stringMatching(/^work handles work\.due: /), ...boot },
      { level: 40, context: 'DeliveryRunner', message: RETRIED, ...retried },
      {
        level: 50,
        context: 'DeliveryRunner',
        message: DEAD,
        ...dead,
        err: { type: 'PermanentError', name: 'PermanentError', message: DEAD, stack },
      },
    ]);
  });

  it('writes each line once with its NativeLogger, the fields as params, as Nest’s console does', async () => {
    expect(await linesOf(NativeLogger)).toEqual([
      { level: 30, context: 'EventsModule', message: STORED, params: database },
      { level: 30, context: 'EventsModule', message: nodeText, params: node },
      { level: 30, context: 'EventsModule', message: expect.stringMatching(/^work handles work\.due: /), params: boot },
      { level: 40, context: 'DeliveryRunner', message: RETRIED, params: retried },
      { level: 50, context: 'DeliveryRunner', message: DEAD, params: dead, stack: expect.stringMatching(STACK) },
    ]);
  });
});
