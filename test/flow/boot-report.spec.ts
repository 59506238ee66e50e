/** What the operator reads when a node starts. */
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { EventsModule, OnEvent } from 'nestjs-durable-events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LogLines } from '../support/shop-app.js';

@Injectable()
class Receipts {
  @OnEvent('payment.*', { name: 'receipts', priority: 20, retry: { maxAttempts: 8 }, circuit: false })
  send(): void {}
}

/** The lines of a boot; `hooks` = shutdown hooks are enabled right after it, as `createApplicationContext` forces one to. */
async function boot(hooks: boolean): Promise<string[]> {
  const log = new LogLines();
  const app = await Test.createTestingModule({
    imports: [EventsModule.forRoot({ store: 'memory' })],
    providers: [Receipts],
  })
    .setLogger(log)
    .compile();
  await app.init();
  if (hooks) app.enableShutdownHooks();
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  await app.close();
  return log.lines.filter((line) => !line.endsWith('dependencies initialized'));
}

describe('the boot report', () => {
  const others = process.listeners('SIGTERM');
  beforeEach(() => void process.removeAllListeners('SIGTERM'));
  afterEach(() => {
    for (const listener of others) process.on('SIGTERM', listener);
  });

  it('names the store, the scheduler and each handler with its policies', async () => {
    expect(await boot(true)).toEqual([
      'log: events are stored in memory (nothing is durable)',
      'log: node 1 runs up to 100 deliveries at once, concurrent scheduler',
      'log: receipts handles payment.*: priority 20, concurrency 10, timeout 30000 ms, 8 attempts, no circuit breaker',
    ]);
  });

  it('warns once, naming the remedy, when nobody would hear SIGTERM', async () => {
    const warnings = (await boot(false)).filter((line) => line.startsWith('warn'));
    expect(warnings).toEqual([expect.stringContaining('call app.enableShutdownHooks()')]);
  });
});
