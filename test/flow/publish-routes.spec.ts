/** Scope: the ways of an event to its handlers: early ones, raw ones, those nobody wants, those from another node. */
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { DeadLetters, defineEvent, EventMessage, EventPublisher, OnEvent } from 'nestjs-durable-events';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ClusterRegistry } from '../../libs/events/src/discovery/cluster-registry.js';
import { databaseKinds } from '../support/database-kinds.js';
import { OrderHandler, ownDatabase, type Shop, startShop } from '../support/shop-app.js';

@Injectable()
class Opening implements OnModuleInit {
  constructor(@Inject(EventPublisher) private readonly publisher: EventPublisher) {}

  async onModuleInit(): Promise<void> {
    await this.publisher.publish('order.placed', { from: 'onModuleInit' });
  }
}

const asyncProvider = {
  provide: 'ASYNC',
  inject: [EventPublisher],
  async useFactory(publisher: EventPublisher) {
    await publisher.transaction(() => publisher.publish('order.placed', { from: 'an async provider' }));
    return 'ready';
  },
};

@Injectable()
class ReturnHandler {
  readonly seen: unknown[] = [];

  @OnEvent('order.returned', { name: 'returns' })
  run({ payload }: EventMessage): void {
    this.seen.push(payload);
  }
}

const insertRaw = ({ dataSource }: Shop, id: string, type: string, payload: string) =>
  dataSource.query(`insert into event_inbox (id, type, payload) values ('${id}', '${type}', '${payload}')`);

describe.each(databaseKinds)('events on $name', (kind) => {
  it('that are published before any handler is announced are delivered exactly once, at the first start and at later ones', async () => {
    const database = await ownDatabase(kind);
    for (const start of [1, 2]) {
      const shop = await startShop(database, { providers: [Opening, asyncProvider, OrderHandler] });
      await shop.until(async () => (await shop.count('event_completion')) === start * 2, 'both are completed');
      expect(shop.handler.seen).toEqual([{ from: 'an async provider' }, { from: 'onModuleInit' }]);
      expect([await shop.count('event_inbox'), await shop.count('event_delivery')]).toEqual([start * 2, 0]);
      await shop.app.close();
    }
  });

  it('that another program inserts are delivered to every subscriber, once', async () => {
    const shop = await startShop(await ownDatabase(kind));
    await insertRaw(shop, 'raw-1', 'order.placed', '{"n":1}');
    await insertRaw(shop, 'raw-2', 'order.placed', '{"n":2}');
    await shop.until(async () => (await shop.count('event_completion')) === 2, 'both are completed');
    expect(shop.handler.seen).toEqual([{ n: 1 }, { n: 2 }]);
    expect(await shop.count('event_inbox where fanned_out_at is null')).toBe(0);
    expect(await shop.inbox.get('raw-1')).toMatchObject({
      id: 'raw-1',
      type: 'order.placed',
      version: 1,
      payload: { n: 1 },
      headers: {},
    });
    expect(await shop.publisher.publish('order.placed', {}, { id: 'raw-1' })).toEqual({ id: 'raw-1', duplicate: true });
  });

  it('that another program inserts for no handler, or that do not fit the schema, end where they can be seen', async () => {
    const checked = defineEvent({ type: 'order.checked', schema: z.object({ total: z.number() }) });

    @Injectable()
    class CheckedHandler {
      ran = 0;

      @OnEvent(checked, { name: 'checks' })
      run(): void {
        this.ran++;
      }
    }
    const shop = await startShop(await ownDatabase(kind), { providers: [CheckedHandler] });
    await insertRaw(shop, 'stray', 'order.unknown', '{}');
    await insertRaw(shop, 'wrong', 'order.checked', '{"total":"7"}');
    const deadLetters = shop.app.get(DeadLetters, { strict: false });
    await shop.until(async () => (await deadLetters.count({ all: true })) === 1, 'the wrong one is dead');
    const { items } = await deadLetters.list({ all: true });
    expect(items).toMatchObject([{ handler: 'checks', reason: 'rejected', attempts: 1 }]);
    expect(shop.app.get(CheckedHandler).ran).toBe(0);
    expect(await shop.inbox.deliveries('stray')).toEqual([]);
    expect(await shop.count('event_inbox where fanned_out_at is null')).toBe(0);
    expect(shop.log.matching(/order\.unknown/)).toHaveLength(1);
  });

  it('that nobody handles are stored, and warned of once per type', async () => {
    const shop = await startShop(await ownDatabase(kind));
    await shop.publisher.publish('order.lost', {});
    await shop.publisher.publishAll(['order.lost', 'order.gone'].map((event) => ({ event, payload: {} })));
    await shop.publisher.transaction(async () => {
      await shop.publisher.publish('order.lost', {});
    });
    await expect(
      shop.publisher.transaction(async () => {
        await shop.publisher.publish('order.rolled-back', {});
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect([await shop.count('event_inbox'), await shop.count('event_delivery')]).toEqual([4, 0]);
    expect(await shop.count('event_inbox where fanned_out_at is null')).toBe(0);
    expect(shop.log.matching(/no handler/)).toEqual([
      expect.stringMatching(/^warn: .*order\.lost/),
      expect.stringMatching(/^warn: .*order\.gone/),
    ]);
  });

  it('that a node without handlers publishes run on another node, and never on it', async () => {
    const database = await ownDatabase(kind);
    const worker = await startShop(database);
    const api = await startShop(database, { events: { handlers: false } });
    const { id } = await api.publisher.publish('order.placed', { n: 1 });
    expect(await api.inbox.deliveries(id)).toHaveLength(1);
    await api.publisher.transaction(() => api.publisher.publish('order.placed', { n: 2 }));
    await worker.until(() => worker.handler.seen.length === 2, 'both are handled');
    expect([worker.handler.seen, api.handler.seen]).toEqual([[{ n: 1 }, { n: 2 }], []]);
    expect(api.log.matching(/only publishes/)).toHaveLength(1);
    expect(await api.count('event_node')).toBe(1);
  });

  it('that a node without handlers publishes also reach handlers that come later, and soon without a detour', async () => {
    const database = await ownDatabase(kind);
    const api = await startShop(database, { events: { handlers: false }, providers: [] });
    const worker = await startShop(database, { providers: [OrderHandler, ReturnHandler] });
    await api.publisher.publish('order.placed', { n: 1 });
    const known = () =>
      api.app
        .get(ClusterRegistry, { strict: false })
        .handlers.map(({ name }) => name)
        .toSorted();
    await api.until(() => known().length === 2, 'it knows the handlers by now');
    const { id } = await api.publisher.publish('order.returned', { n: 2 });
    // Its deliveries were made by the publish itself.
    expect(await api.inbox.deliveries(id)).toMatchObject([{ handler: 'returns' }]);
    await worker.until(
      () => worker.app.get(ReturnHandler).seen.length === 1 && worker.handler.seen.length === 1,
      'both are handled',
    );
    expect(known()).toEqual(['orders', 'returns']);
  });
});
