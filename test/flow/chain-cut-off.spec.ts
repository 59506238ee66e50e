/** Scope: attempts that are stopped from outside, whatever the application's middleware makes of it. */
import { Injectable } from '@nestjs/common';
import {
  defineEvent,
  EventInbox,
  type EventMiddleware,
  EventPublisher,
  Invocation,
  OnEvent,
} from 'nestjs-durable-events';
import { afterEach, describe, expect, it } from 'vitest';
import { EVENT_STORE, type EventStore } from '../../libs/events/src/store/event-store.js';
import { closeManualApps, manualApp } from '../support/manual-app.js';

afterEach(closeManualApps);

describe('a shutdown', () => {
  it('gives back what still runs, even through a middleware that swallows every error', async () => {
    @Injectable()
    class Swallow implements EventMiddleware {
      async invoke(_invocation: Invocation, next: () => Promise<void>): Promise<void> {
        await next().catch(() => {});
      }
    }
    @Injectable()
    class Endless {
      @OnEvent('a.b', { name: 'endless', timeout: '1h' })
      run(): Promise<void> {
        return new Promise(() => {});
      }
    }
    const { app, clock } = await manualApp([Endless, Swallow], { middleware: [Swallow] });
    const store = app.get<EventStore>(EVENT_STORE);
    await app.get(EventPublisher).publish('a.b', {}, { id: 'e' });
    await clock.advance(0);
    const closed = app.close();
    await clock.advance(60_000);
    await closed;
    expect(await store.findDeliveries('e')).toMatchObject([{ state: 'pending', attempts: 0, failures: [] }]);
  });
});

describe('a schema that never answers', () => {
  it('ends with the timeout of the handler, which fails the attempt', async () => {
    let hangs = false;
    const validate = (value: unknown) => (hangs ? new Promise<never>(() => {}) : { value });
    const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const;
    const checked = defineEvent<{ n: number }>({ type: 'a.b', schema: schema as never });
    @Injectable()
    class Handler {
      @OnEvent(checked, { name: 'h', timeout: '10s', retry: false })
      run(): void {}
    }
    const { app, clock } = await manualApp([Handler]);
    await app.get(EventPublisher).publish(checked, { n: 1 }, { id: 'e', delay: '1s' });
    hangs = true;
    await clock.advance(1_000);
    await clock.advance(9_999);
    expect(await app.get(EventInbox).deliveries('e')).toMatchObject([{ state: 'processing' }]);
    await clock.advance(1);
    expect(await app.get(EventInbox).deliveries('e')).toMatchObject([
      { state: 'dead', reason: 'exhausted', failures: [{ name: 'HandlerTimeoutError' }] },
    ]);
  });
});
