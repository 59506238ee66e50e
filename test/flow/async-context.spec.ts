/** AsyncLocalStorage context between a publish and the handlers of its events. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { EventMessage, EventPublisher, EventsModule, OnEvent } from 'nestjs-durable-events';
import { describe, expect, it, onTestFinished, vi } from 'vitest';

const storage = new AsyncLocalStorage<{ readonly tenant: string }>();

@Injectable()
class Orders {
  readonly tenants: (string | undefined)[] = [];

  constructor(private readonly publisher: EventPublisher) {}

  @OnEvent('order.placed', { name: 'orders' })
  async place(event: EventMessage): Promise<void> {
    this.tenants.push(storage.getStore()?.tenant);
    await this.publisher.publish('order.billed', event.payload);
  }

  @OnEvent('order.billed', { name: 'bills' })
  bill(): void {
    this.tenants.push(storage.getStore()?.tenant);
  }
}

const asAcme = <T>(work: () => T): T => storage.run({ tenant: 'acme' }, work);

describe('a publisher’s context', () => {
  it('never reaches a handler, also if its node runs the event at once', async () => {
    const app = await Test.createTestingModule({
      imports: [EventsModule.forRoot({ dataSource: { type: 'better-sqlite3', database: ':memory:' } })],
      providers: [Orders],
    }).compile();
    app.useLogger(false);
    onTestFinished(() => app.close());
    await app.init();
    const orders = app.get(Orders);
    await asAcme(() => app.get(EventPublisher).publish('order.placed', {}));
    await vi.waitFor(() => expect(orders.tenants).toEqual([undefined, undefined]), 10_000);
  });
});
