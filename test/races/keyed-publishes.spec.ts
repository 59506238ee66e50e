/** Scope: publishes with ids or ordering keys share commits, and still wait for nobody but whoever has the same. */
import { describe, expect, it, vi } from 'vitest';
import { EVENT_STORE, type EventStore } from '../../libs/events/src/store/event-store.js';
import { databaseKinds, type DatabaseKind } from '../support/database-kinds.js';
import { ownDatabase, type Shop, startShop } from '../support/shop-app.js';

/** Nothing is delivered: only what is stored counts. */
const PUBLISHING = { events: { handlers: false }, providers: [] };
const range = (length: number) => Array.from({ length }, (_, index) => index);

const startPublisher = async (kind: DatabaseKind) => startShop(await ownDatabase(kind), PUBLISHING);

const appendOf = (shop: Shop) => vi.spyOn(shop.app.get<EventStore>(EVENT_STORE, { strict: false }), 'append');

/** Holds what a publish with these options locks, until it is told to end. */
async function hold(shop: Shop, options: { id?: string; orderingKey?: string }) {
  let end = () => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  let held = () => {};
  const isHeld = new Promise<void>((resolve) => (held = resolve));
  const done = shop.publisher.transaction(async (manager) => {
    await shop.publisher.publish('order.placed', { held: true }, { ...options, manager });
    held();
    await ended;
  });
  await isHeld;
  return async () => {
    end();
    await done;
  };
}

describe.each(databaseKinds)('publishes on $name', (kind) => {
  it('with ids share commits, and of those with one id the first is stored', async () => {
    const shop = await startPublisher(kind);
    const append = appendOf(shop);
    const ids = range(200).map((n) => `id-${n % 150}`);
    const receipts = await Promise.all(ids.map((id, n) => shop.publisher.publish('order.placed', { n }, { id })));
    expect(append.mock.calls.length).toBeLessThan(5);
    expect(receipts).toEqual(ids.map((id, n) => ({ id, duplicate: n >= 150 })));
    expect(await shop.count('event_inbox')).toBe(150);
    expect((await shop.inbox.get('id-0'))?.payload).toEqual({ n: 0 });
  });

  it('with ordering keys share commits, in the order of the calls', async () => {
    const shop = await startPublisher(kind);
    const append = appendOf(shop);
    const options = range(200).map((n) => ({ id: `id-${(n * 77) % 200}`, orderingKey: `key-${n % 7}` }));
    await Promise.all(options.map((one, n) => shop.publisher.publish('order.placed', { n }, one)));
    expect(append.mock.calls.length).toBeLessThan(5);
    const stored = await shop.dataSource.query<{ id: unknown }[]>('select id from event_inbox order by seq');
    expect(stored.map(({ id }) => String(id))).toEqual(options.map(({ id }) => id));
  });

  it('of one that cannot be stored suffer nothing', async () => {
    const shop = await startPublisher(kind);
    const store = shop.app.get<EventStore>(EVENT_STORE, { strict: false });
    const append = store.append.bind(store);
    vi.spyOn(store, 'append').mockImplementation((request, manager) =>
      request.events.some(({ id }) => id === 'id-3') ? Promise.reject(new Error('refused')) : append(request, manager),
    );
    const published = await Promise.allSettled(
      range(8).map((n) => shop.publisher.publish('order.placed', { n }, { id: `id-${n}` })),
    );
    expect(published.map(({ status }) => status)).toEqual(range(8).map((n) => (n === 3 ? 'rejected' : 'fulfilled')));
    expect(await shop.count('event_inbox')).toBe(7);
  });
});

describe.each(databaseKinds.filter(({ name }) => name !== 'sqlite'))('publishes on $name', (kind) => {
  it.each([
    ['an id', { id: 'busy' }],
    ['an ordering key', { orderingKey: 'busy' }],
  ])('go on while an open transaction has %s of one of them; that one waits', async (_, busy) => {
    const shop = await startPublisher(kind);
    const end = await hold(shop, busy);
    const finished: number[] = [];
    const all = range(20).map(async (n) => {
      const receipt = await shop.publisher.publish('order.placed', { n }, n === 7 ? busy : { id: `id-${n}` });
      finished.push(n);
      return receipt;
    });
    await shop.until(() => finished.length === 19, 'all others are stored');
    expect(finished).not.toContain(7);
    await end();
    const receipts = await Promise.all(all);
    expect(receipts.map(({ duplicate }) => duplicate)).toEqual(range(20).map((n) => n === 7 && 'id' in busy));
    expect(await shop.count('event_inbox')).toBe('id' in busy ? 20 : 21);
  });

  it('of the same ids by two nodes, in opposite orders, all succeed, and each id is stored once', async () => {
    const database = await ownDatabase(kind);
    const shops = [await startShop(database, PUBLISHING), await startShop(database, PUBLISHING)];
    for (const round of range(20)) {
      const ids = range(40).map((n) => `${round}-${n}`);
      const receipts = await Promise.all(
        shops.flatMap(({ publisher }, node) =>
          (node === 0 ? ids : ids.toReversed()).map((id) => publisher.publish('order.placed', {}, { id })),
        ),
      );
      expect(
        receipts
          .filter(({ duplicate }) => !duplicate)
          .map(({ id }) => id)
          .toSorted(),
      ).toEqual(ids.toSorted());
    }
    expect(await shops[0].count('event_inbox')).toBe(20 * 40);
  });
});
