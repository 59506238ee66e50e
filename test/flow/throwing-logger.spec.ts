/** The application's logger throws at every line: everything goes on as if it did not. */
import { Injectable, type LoggerService } from '@nestjs/common';
import { DeadLetters, EventMessage, EventPublisher, EventsStats, OnEvent } from 'nestjs-durable-events';
import { ManualClock } from 'nestjs-durable-events/testing';
import { afterEach, expect, it, vi } from 'vitest';
import { MemoryStore } from '../../libs/events/src/store/memory/memory-store.js';
import { closeManualApps, manualApp } from '../support/manual-app.js';

afterEach(closeManualApps);

@Injectable()
class Work {
  @OnEvent('work.done', { name: 'work', retry: { maxAttempts: 2, initialDelay: 10, jitter: 'none' }, circuit: false })
  run({ payload }: EventMessage<{ fails: boolean }>): void {
    if (payload.fails) throw new Error('it fails');
  }
}

it('a logger that throws stops no loop, and loses no outcome', async () => {
  const fail = vi.fn(() => {
    throw new Error('the log is full');
  });
  const log: LoggerService = { log: fail, warn: fail, error: fail, fatal: fail, debug: fail, verbose: fail };
  const clock = new ManualClock();
  const store = new MemoryStore(clock);
  const { app } = await manualApp([Work], {}, { clock, store, log });
  const publisher = app.get(EventPublisher);
  const completed = () => app.get(EventsStats).snapshot().handlers['work'].completed;

  // A retry, a dead letter, an event that nobody handles: each is logged.
  for (const fails of [true, false]) await publisher.publish('work.done', { fails });
  await publisher.publish('work.unknown', {});
  await clock.advance(1_000);
  expect(await app.get(DeadLetters).count({ handler: 'work' })).toBe(1);
  expect(completed()).toBe(1);

  // Every loop fails, and so do the heartbeat and a settle.
  const away = () => Promise.reject(new Error('the database is away'));
  const verbs = ['claim', 'settle', 'stage', 'fanOut', 'handlerStates', 'beat'] as const;
  const spies = verbs.map((verb) => vi.spyOn(store, verb).mockImplementation(away));
  await publisher.publish('work.done', { fails: false });
  await clock.advance(10_000);
  for (const spy of spies) spy.mockRestore();
  await clock.advance(30_000);
  expect(completed()).toBe(2);
  expect(fail.mock.calls.length).toBeGreaterThan(5);
});
