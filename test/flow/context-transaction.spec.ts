/** Scope: `context.transaction`: what a handler writes and the completion of its delivery are one commit. */
import { LeaseLostError, TransactionReusedError, type DeliveryContext } from 'nestjs-durable-events';
import type { EntityManager } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { NoTransactionError } from '../../libs/events/src/errors/no-transaction.error.js';
import { databaseKinds } from '../support/database-kinds.js';
import { Order } from '../support/shop.js';
import { ownDatabase, type Shop, startShop } from '../support/shop-app.js';

const order = (manager: EntityManager, name: string) => manager.getRepository(Order).insert({ name });
const gate = () => {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
};

/** What has become of an event: the one delivery it has. */
async function fate({ inbox }: Shop, id: string) {
  const [delivery] = await inbox.deliveries(id);
  return (
    delivery && {
      state: delivery.state,
      attempts: delivery.attempts,
      failures: delivery.failures.map(({ message }) => message),
    }
  );
}

async function settled(shop: Shop, id: string, state = 'completed') {
  await shop.until(async () => (await fate(shop, id))?.state === state, `event ${id} is ${state}`);
  return fate(shop, id);
}

describe.each(databaseKinds)('context.transaction on $name', (kind) => {
  it('commits what the handler writes together with the completion', async () => {
    const shop = await startShop(await ownDatabase(kind));
    const seen: unknown[] = [];
    let answer: unknown;
    shop.handler.work = async (_, context) => {
      answer = await context.transaction(async (manager) => {
        await manager.getRepository(Order).save({ name: 'written' });
        seen.push(await shop.count('event_delivery where lease_node is not null'), await fate(shop, 'a'));
        return 7;
      });
      // Committed by now, and finished, though the handler goes on.
      seen.push(await shop.orders(), await fate(shop, 'a'));
    };
    await shop.publisher.publish('order.placed', {}, { id: 'a' });
    await shop.until(() => seen.length === 4, 'the handler has ended');
    const completed = { state: 'completed', attempts: 1, failures: [] };
    expect([answer, ...seen]).toEqual([
      7,
      1,
      { state: 'processing', attempts: 0, failures: [] },
      ['written'],
      completed,
    ]);
    shop.handler.work = () => undefined;
    expect(await shop.seenUpTo({ last: true })).toHaveLength(2);
    expect(await fate(shop, 'a')).toEqual(completed);
  });

  it('an error after the write rolls the write back, and the next attempt writes it once', async () => {
    const shop = await startShop(await ownDatabase(kind));
    const between: unknown[] = [];
    shop.handler.work = async (_, context) => {
      between.push(await shop.orders());
      await context.transaction(async (manager) => {
        await order(manager, `written in attempt ${context.attempt}`);
        if (context.attempt < 3) throw new Error(`attempt ${context.attempt}`);
      });
    };
    await shop.publisher.publish('order.placed', {}, { id: 'a' });
    expect(await settled(shop, 'a')).toEqual({ state: 'completed', attempts: 3, failures: ['attempt 1', 'attempt 2'] });
    expect([between, await shop.orders()]).toEqual([[[], [], []], ['written in attempt 3']]);
  });

  it('an error after it has committed changes nothing: the delivery is completed, and the error is reported', async () => {
    const shop = await startShop(await ownDatabase(kind));
    shop.handler.work = async (_, context) => {
      await context.transaction((manager) => order(manager, 'written'));
      throw new Error('too late');
    };
    await shop.publisher.publish('order.placed', {}, { id: 'a' });
    expect(await settled(shop, 'a')).toEqual({ state: 'completed', attempts: 1, failures: [] });
    await shop.until(
      () => shop.log.matching(/^error: .*after its transaction had committed/).length === 1,
      'it is logged',
    );
    shop.handler.work = () => undefined;
    expect(await shop.seenUpTo({ last: true })).toHaveLength(2);
    expect(await shop.orders()).toEqual(['written']);
  });

  it('a lease that another node has by now commits nothing', async () => {
    const shop = await startShop(await ownDatabase(kind));
    let failure: unknown;
    shop.handler.work = async (_, context) => {
      await shop.dataSource.query(
        `update event_delivery set lease_node = 999, claims = claims + 1 where id = ${context.deliveryId}`,
      );
      await context
        .transaction((manager) => order(manager, 'written'))
        .catch((error: unknown) => {
          failure = error;
          throw error;
        });
    };
    await shop.publisher.publish('order.placed', {}, { id: 'a' });
    await shop.until(() => failure !== undefined, 'the transaction has ended');
    await shop.until(() => shop.log.matching(/lease was lost/).length === 1, 'the loss is logged');
    expect(failure).toBeInstanceOf(LeaseLostError);
    expect(failure).toMatchObject({ code: 'EVENTS_LEASE_LOST', handler: 'orders' });
    expect(await shop.orders()).toEqual([]);
    expect(await shop.count('event_delivery where lease_node = 999 and attempts = 0')).toBe(1);
    expect(await shop.count('event_completion')).toBe(0);
  });

  it('a lease of this node but of another claim commits nothing either', async () => {
    const shop = await startShop(await ownDatabase(kind));
    let failure: unknown;
    shop.handler.work = async (_, context) => {
      await shop.dataSource.query(`update event_delivery set claims = claims + 1 where id = ${context.deliveryId}`);
      await context
        .transaction((manager) => order(manager, 'written'))
        .catch((error: unknown) => {
          failure = error;
          throw error;
        });
    };
    await shop.publisher.publish('order.placed', {}, { id: 'a' });
    await shop.until(() => failure !== undefined, 'the transaction has ended');
    expect(failure).toBeInstanceOf(LeaseLostError);
    expect([await shop.orders(), await shop.count('event_completion')]).toEqual([[], 0]);
  });

  it('a delivery that is cancelled meanwhile commits nothing', async () => {
    const shop = await startShop(await ownDatabase(kind));
    const started = gate();
    const goOn = gate();
    let signal: AbortSignal | undefined;
    let failure: unknown;
    shop.handler.work = async (_, context) => {
      ({ signal } = context);
      started.resolve();
      await goOn.promise;
      await context.transaction((manager) => order(manager, 'written')).catch((error: unknown) => (failure = error));
    };
    await shop.publisher.publish('order.placed', {}, { id: 'a' });
    await started.promise;
    const [delivery] = await shop.inbox.deliveries('a');
    expect(await shop.inbox.cancel(delivery?.id ?? 'none')).toBe(true);
    expect(signal?.reason).toMatchObject({ code: 'EVENTS_ATTEMPT_ABORTED', reason: 'cancelled' });
    goOn.resolve();
    await shop.until(() => failure !== undefined, 'the transaction has ended');
    expect(failure).toBe(signal?.reason);
    expect([await shop.orders(), await fate(shop, 'a')]).toEqual([
      [],
      { state: 'cancelled', attempts: 0, failures: [] },
    ]);
  });

  it('a second call in one attempt is refused before its work begins; the first one stays', async () => {
    const shop = await startShop(await ownDatabase(kind));
    let failure: unknown;
    shop.handler.work = async (_, context) => {
      await context.transaction((manager) => order(manager, 'first'));
      await context.transaction((manager) => order(manager, 'second')).catch((error: unknown) => (failure = error));
    };
    await shop.publisher.publish('order.placed', {}, { id: 'a' });
    await shop.until(() => failure !== undefined, 'the second call has ended');
    expect(failure).toBeInstanceOf(TransactionReusedError);
    expect(failure).toMatchObject({ code: 'EVENTS_TRANSACTION_REUSED' });
    expect([await settled(shop, 'a'), await shop.orders()]).toEqual([
      { state: 'completed', attempts: 1, failures: [] },
      ['first'],
    ]);
  });

  it('a publish inside joins it: what a failed attempt published was never published', async () => {
    const shop = await startShop(await ownDatabase(kind));
    shop.handler.work = async ({ payload }, context) => {
      if ((payload as { follows?: number }).follows !== undefined) return;
      await context.transaction(async () => {
        await shop.publisher.publish('order.placed', { follows: context.attempt });
        await shop.publisher.transaction(() => shop.publisher.publish('order.placed', { follows: -context.attempt }));
        if (context.attempt === 1) throw new Error('once');
      });
    };
    await shop.publisher.publish('order.placed', {}, { id: 'a' });
    await shop.until(async () => (await shop.count('event_completion')) === 3, 'all three are completed');
    expect(shop.handler.seen).toEqual([{}, {}, { follows: 2 }, { follows: -2 }]);
    expect(await shop.count('event_inbox')).toBe(3);
  });

  it('a timeout during it rolls it back, and the attempt counts as failed', async () => {
    const attempts: string[] = [];
    const shop = await startShop(await ownDatabase(kind), { events: { defaults: { timeout: 1_000 } } });
    shop.handler.work = async (_, context: DeliveryContext) => {
      const outcome = context.transaction(async (manager) => {
        await order(manager, `attempt ${context.attempt}`);
        if (context.attempt === 1) await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
      });
      attempts.push(
        await outcome.then(
          () => 'committed',
          (error: { code: string }) => error.code,
        ),
      );
      await outcome;
    };
    await shop.publisher.publish('order.placed', {}, { id: 'a' });
    expect(await settled(shop, 'a')).toEqual({
      state: 'completed',
      attempts: 2,
      failures: [expect.stringContaining('did not end within its timeout of 1000 ms')],
    });
    await shop.until(() => attempts.length === 2, 'both have ended');
    expect([attempts, await shop.orders()]).toEqual([['EVENTS_HANDLER_TIMEOUT', 'committed'], ['attempt 2']]);
  });

  it('work that outlives its timeout without reading the signal is fenced off by the next attempt', async () => {
    const shop = await startShop(await ownDatabase(kind), { events: { defaults: { timeout: 1_000 } } });
    const goOn = gate();
    const ended: string[] = [];
    shop.handler.work = async (_, context) => {
      if (context.attempt === 1) await goOn.promise;
      await context
        .transaction((manager) => order(manager, `attempt ${context.attempt}`))
        .then(
          () => ended.push('committed'),
          (error: { code: string }) => ended.push(error.code),
        );
    };
    await shop.publisher.publish('order.placed', {}, { id: 'a' });
    await settled(shop, 'a');
    goOn.resolve();
    await shop.until(() => ended.length === 2, 'both have ended');
    expect([ended, await shop.orders()]).toEqual([['committed', 'EVENTS_HANDLER_TIMEOUT'], ['attempt 2']]);
  });

  it('inside a publisher.transaction it commits with that one, and rolls back with it', async () => {
    const shop = await startShop(await ownDatabase(kind));
    shop.handler.work = (_, context) =>
      shop.publisher.transaction(async (manager) => {
        await order(manager, `outer ${context.attempt}`);
        await context.transaction((inner) => order(inner, `inner ${context.attempt}`));
        if (context.attempt === 1) throw new Error('after the inner one');
      });
    await shop.publisher.publish('order.placed', {}, { id: 'a' });
    expect(await settled(shop, 'a')).toEqual({ state: 'completed', attempts: 2, failures: ['after the inner one'] });
    expect(await shop.orders()).toEqual(['inner 2', 'outer 2']);
  });

  it('refuses a publish that its work has left running', async () => {
    const shop = await startShop(await ownDatabase(kind));
    const goOn = gate();
    let left: Promise<unknown> | undefined;
    shop.handler.work = async ({ id }, context) => {
      if (id !== 'a') return;
      await context.transaction(async () => {
        left = goOn.promise.then(() => shop.publisher.publish('order.placed', { late: true }));
      });
    };
    await shop.publisher.publish('order.placed', {}, { id: 'a' });
    await settled(shop, 'a');
    goOn.resolve();
    await expect(left).rejects.toThrow(NoTransactionError);
    await expect(left).rejects.toThrow(/has ended already/);
    expect(await shop.count('event_inbox')).toBe(1);
  });
});
