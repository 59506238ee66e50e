/** AsyncLocalStorage context between a publish and the handlers of its events: none by itself, and what `contextHeaders` carries. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { ClsModule, ClsService, ClsServiceManager } from 'nestjs-cls';
import {
  type ContextHeaders,
  ContextCaptureError,
  EventInbox,
  EventInvoker,
  EventMessage,
  EventPublisher,
  EventsModule,
  type Invocation,
  OnEvent,
} from 'nestjs-durable-events';
import { EventsTestingModule, EventsTestKit } from 'nestjs-durable-events/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';

const storage = new AsyncLocalStorage<{ readonly tenant: string }>();

/** As an application would write it by hand. */
const tenancy: ContextHeaders = {
  capture: (): Record<string, string> => {
    const store = storage.getStore();
    return store ? { tenant: store.tenant } : {};
  },
  restore: ({ tenant }, run) => (tenant === undefined ? run() : storage.run({ tenant }, run)),
};

@Injectable()
class Orders {
  readonly tenants: (string | undefined)[] = [];

  constructor(private readonly publisher: EventPublisher) {}

  @OnEvent('order.placed', { name: 'orders', retry: { maxAttempts: 2 } })
  async place(event: EventMessage): Promise<void> {
    this.tenants.push(storage.getStore()?.tenant);
    await this.publisher.publish('order.billed', event.payload);
  }

  @OnEvent('order.billed', { name: 'bills' })
  bill(): void {
    this.tenants.push(storage.getStore()?.tenant);
  }
}

@Injectable()
class Audit {
  readonly tenants: (string | undefined)[] = [];

  invoke(_invocation: Invocation, next: () => Promise<void>): Promise<void> {
    this.tenants.push(storage.getStore()?.tenant);
    return next();
  }
}

async function start(contextHeaders?: ContextHeaders) {
  const app = await Test.createTestingModule({
    imports: [EventsTestingModule.forRoot({ contextHeaders, middleware: [Audit] })],
    providers: [Orders, Audit],
  }).compile();
  app.useLogger(false);
  onTestFinished(() => app.close());
  await app.init();
  return { app, kit: app.get(EventsTestKit), publisher: app.get(EventPublisher), orders: app.get(Orders) };
}

const asAcme = <T>(work: () => T): T => storage.run({ tenant: 'acme' }, work);

describe('without contextHeaders', () => {
  it('a publisher’s context never reaches a handler, also if its node runs the event at once', async () => {
    const database = await Test.createTestingModule({
      imports: [EventsModule.forRoot({ dataSource: { type: 'better-sqlite3', database: ':memory:' } })],
      providers: [Orders],
    }).compile();
    database.useLogger(false);
    onTestFinished(() => database.close());
    await database.init();
    const orders = database.get(Orders);
    await asAcme(() => database.get(EventPublisher).publish('order.placed', {}));
    await vi.waitFor(() => expect(orders.tenants).toEqual([undefined, undefined]), 10_000);
  });
});

describe('contextHeaders', () => {
  it('carry the context to the handler, to middleware, and on to what the handler publishes', async () => {
    const { app, kit, publisher, orders } = await start(tenancy);
    await asAcme(() => publisher.publish('order.placed', {}));
    await kit.drain();
    expect(orders.tenants).toEqual(['acme', 'acme']);
    expect(app.get(Audit).tenants).toEqual(['acme', 'acme']);
  });

  it('are stored with each event of a list, asked for once, and give way to the headers of the event', async () => {
    const capture = vi.fn(() => ({ tenant: 'acme', user: 'ann' }));
    const { app, publisher } = await start({ ...tenancy, capture });
    const inbox = app.get(EventInbox);
    await publisher.publishAll([
      { event: 'a', payload: {}, id: '1' },
      { event: 'b', payload: {}, id: '2', headers: { user: 'bob', shade: 'blue' } },
    ]);
    expect((await inbox.get('1'))?.headers).toEqual({ tenant: 'acme', user: 'ann' });
    expect((await inbox.get('2'))?.headers).toEqual({ tenant: 'acme', user: 'bob', shade: 'blue' });
    expect(capture).toHaveBeenCalledTimes(1);
  });

  it.each<[string, () => unknown, unknown]>([
    [
      'throws',
      () => {
        throw new Error('no context');
      },
      expect.objectContaining({ message: 'no context' }),
    ],
    ['answers nothing', () => undefined, undefined],
    ['answers a promise', () => Promise.resolve({ tenant: 'acme' }), undefined],
    ['answers a list', () => ['acme'], undefined],
    ['answers what is no text', () => ({ tenant: 7 }), undefined],
  ])('fail the publish if capture %s: nothing is stored', async (_what, capture, cause) => {
    const { app, kit, publisher } = await start({ ...tenancy, capture: capture as ContextHeaders['capture'] });
    const error = await publisher.publish('order.placed', {}).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ContextCaptureError);
    expect(error).toMatchObject({ code: 'EVENTS_CONTEXT_CAPTURE', ...(cause !== undefined && { cause }) });
    await expect(publisher.publishAll([{ event: 'order.placed', payload: {} }])).rejects.toThrow(ContextCaptureError);
    await expect(app.get(EventInvoker).invoke('orders', 'order.placed', {})).rejects.toThrow(ContextCaptureError);
    expect(kit.published()).toEqual([]);
  });

  it.each<[string, ContextHeaders['restore'], string]>([
    ['throws', () => Promise.reject(new Error('unknown tenant')), 'unknown tenant'],
    ['never calls run', async () => {}, 'contextHeaders.restore returned without calling run: orders did not run'],
  ])('make a failed attempt of one whose restore %s: retried, then dead', async (_what, restore, message) => {
    const { kit, publisher, orders } = await start({ ...tenancy, restore });
    await publisher.publish('order.placed', {});
    await kit.drain({ advance: true });
    expect(orders.tenants).toEqual([]);
    const [outcome] = kit.outcomes('orders');
    expect(outcome).toMatchObject({ outcome: 'dead', attempts: 2, reason: 'exhausted' });
    expect(JSON.stringify(outcome)).toContain(message);
  });

  it('end an attempt whose restore hangs, after twice the handler’s timeout', async () => {
    const { kit, publisher } = await start({ ...tenancy, restore: () => new Promise(() => {}) });
    await publisher.publish('order.placed', {});
    // Ten minutes hold two attempts of a minute each, and the backoff between them.
    await kit.clock.advance('10m');
    await kit.drain();
    expect(kit.outcomes('orders')).toMatchObject([{ outcome: 'dead', attempts: 2, reason: 'exhausted' }]);
  });

  it('hold for direct calls too', async () => {
    const { app, orders } = await start(tenancy);
    const { outcome, trace } = await asAcme(() => app.get(EventInvoker).invoke('orders', 'order.placed', {}));
    expect([outcome, orders.tenants[0]]).toEqual(['completed', 'acme']);
    expect(trace).toContain('> context');
  });
});

describe('with nestjs-cls', () => {
  @Injectable()
  class Mails {
    readonly seen: unknown[] = [];

    constructor(
      private readonly cls: ClsService,
      private readonly publisher: EventPublisher,
    ) {}

    @OnEvent('user.invited', { name: 'mails' })
    async send(): Promise<void> {
      await new Promise((resolve) => setImmediate(resolve));
      this.note('mails');
      await this.publisher.publish('mail.sent', {});
    }

    @OnEvent('mail.sent', { name: 'statistics' })
    count(): void {
      this.note('statistics');
    }

    private note(what: string): void {
      this.seen.push([what, this.cls.isActive() && [this.cls.get('tenant'), this.cls.get('locale')]]);
    }
  }

  it('tenant and locale of the request are there in the handler, and in the handlers of what that publishes', async () => {
    const app = await Test.createTestingModule({
      imports: [
        ClsModule.forRoot({ global: true }),
        EventsTestingModule.forRoot({ contextHeaders: fromCls(ClsServiceManager.getClsService()) }),
      ],
      providers: [Mails],
    }).compile();
    onTestFinished(() => app.close());
    await app.init();
    const [cls, kit, publisher] = [app.get(ClsService), app.get(EventsTestKit), app.get(EventPublisher)];

    await Promise.all(
      ['acme', 'initech'].map((tenant) =>
        cls.run(async () => {
          cls.set('tenant', tenant);
          cls.set('locale', 'de');
          await publisher.publish('user.invited', {});
        }),
      ),
    );
    await kit.drain();
    await publisher.publish('user.invited', {});
    await kit.drain();
    expect(app.get(Mails).seen).toEqual([
      ['mails', ['acme', 'de']],
      ['mails', ['initech', 'de']],
      ['statistics', ['acme', 'de']],
      ['statistics', ['initech', 'de']],
      ['mails', [undefined, undefined]],
      ['statistics', [undefined, undefined]],
    ]);
  });

  /** What the README shows. */
  function fromCls(cls: ClsService): ContextHeaders {
    return {
      capture: (): Record<string, string> =>
        cls.isActive() && cls.has('tenant') ? { tenant: cls.get('tenant'), locale: cls.get('locale') } : {},
      restore: ({ tenant, locale }, run) =>
        cls.run(async () => {
          cls.set('tenant', tenant);
          cls.set('locale', locale);
          await run();
        }),
    };
  }
});
