/** Scope: what an idle node publishes it begins by the commit itself; everything else waits for a claim, in its order. */
import { EventHandlerRegistry, EventsNode } from 'nestjs-durable-events';
import { describe, expect, it, vi } from 'vitest';
import { EVENT_STORE, type EventStore } from '../../libs/events/src/store/event-store.js';
import { databaseKinds } from '../support/database-kinds.js';
import { ownDatabase, OrderHandler, type Parts, type Shop, startShop } from '../support/shop-app.js';

/** No poll comes in between. */
const EVENTS: Parts['events'] = { pollInterval: '1h', defaults: { concurrency: 2 } };

function storeOf({ app }: Shop): EventStore {
  return app.get<EventStore>(EVENT_STORE, { strict: false });
}

/** A shop whose node has found that nothing waits. */
async function restingShop(database: Parameters<typeof startShop>[0]): Promise<Shop> {
  const shop = await startShop(database, { events: EVENTS });
  await shop.seenUpTo('first');
  await completed(shop, 1);
  shop.handler.seen.length = 0;
  return shop;
}

const completed = (shop: Shop, count: number) =>
  shop.until(async () => (await shop.count('event_completion')) === count, `${count} are completed`);

/** Handlers that end when they are told to. */
function gate(handler: OrderHandler) {
  const open: (() => void)[] = [];
  let running = 0;
  const most = { running: 0 };
  handler.work = async () => {
    most.running = Math.max(most.running, ++running);
    await new Promise<void>((resolve) => open.push(resolve));
    running--;
  };
  return { open, most };
}

describe.each(databaseKinds)('on $name', (kind) => {
  it('an idle node claims what it publishes with the same commit', async () => {
    const shop = await restingShop(await ownDatabase(kind));
    const [claim, append] = [vi.spyOn(storeOf(shop), 'claim'), vi.spyOn(storeOf(shop), 'append')];
    const { id } = await shop.publisher.publish('order.placed', { n: 1 });
    await completed(shop, 2);
    expect(shop.handler.seen).toEqual([{ n: 1 }]);
    expect(claim.mock.calls.filter(([{ wants }]) => wants.length > 0)).toEqual([]);
    expect(append).toHaveBeenCalledOnce();
    expect(await shop.inbox.deliveries(id)).toMatchObject([{ state: 'completed', attempts: 1 }]);
  });

  it('no more than may run at once, and what comes later waits its turn', async () => {
    const shop = await restingShop(await ownDatabase(kind));
    const { open, most } = gate(shop.handler);
    const numbers = Array.from({ length: 7 }, (_, n) => ({ n }));
    for (const payload of numbers) await shop.publisher.publish('order.placed', payload);
    await shop.until(() => open.length === 2, 'two run');
    for (let ended = 0; ended < numbers.length; ended++) {
      await shop.until(() => open.length > ended, `${ended + 1} have begun`);
      open[ended]();
    }
    await completed(shop, 1 + numbers.length);
    expect(most.running).toBe(2);
    expect(shop.handler.seen).toEqual(numbers);
  });

  it('nothing on a node that rests, or for a handler that is paused', async () => {
    const shop = await restingShop(await ownDatabase(kind));
    const { app, publisher, handler } = shop;
    await app.get(EventsNode, { strict: false }).pause();
    const resting = await publisher.publish('order.placed', { n: 1 });
    expect(await shop.inbox.deliveries(resting.id)).toMatchObject([{ state: 'pending' }]);
    await app.get(EventHandlerRegistry, { strict: false }).pause('orders');
    await app.get(EventsNode, { strict: false }).resume();
    const paused = await publisher.publish('order.placed', { n: 2 });
    expect(await shop.inbox.deliveries(paused.id)).toMatchObject([{ state: 'pending' }]);
    expect(handler.seen).toEqual([]);
    await app.get(EventHandlerRegistry, { strict: false }).resume('orders');
    await completed(shop, 3);
    expect(handler.seen).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('nothing in a transaction that others end: what is rolled back never begins', async () => {
    const shop = await restingShop(await ownDatabase(kind));
    const append = vi.spyOn(storeOf(shop), 'append');
    const rolledBack = shop.publisher.transaction(async () => {
      await shop.publisher.publish('order.placed', { n: 1 });
      throw new Error('rolled back');
    });
    await expect(rolledBack).rejects.toThrow('rolled back');
    await shop.dataSource.transaction((manager) => shop.publisher.publish('order.placed', { n: 2 }, { manager }));
    await completed(shop, 2);
    expect(append.mock.calls.map(([{ claim }]) => claim)).toEqual([undefined, undefined]);
    expect(shop.handler.seen).toEqual([{ n: 2 }]);
  });
});
