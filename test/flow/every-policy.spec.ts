/** A payment through the whole chain with every policy on at once, on real databases. */
import { Injectable } from '@nestjs/common';
import {
  defineEvent,
  type DeliveryContext,
  EventMessage,
  type EventMiddleware,
  EventsStats,
  type Invocation,
  OnEvent,
} from 'nestjs-durable-events';
import { describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/database-kinds.js';
import { Order } from '../support/shop.js';
import { ownDatabase, startShop } from '../support/shop-app.js';

interface Payment {
  readonly account: string;
  readonly reference: string;
}

const paid = defineEvent<Payment>({
  type: 'payment.processed',
  idempotencyKey: ({ reference }) => reference,
  rateLimitKey: ({ account }) => account,
});

@Injectable()
class Audit implements EventMiddleware {
  readonly lines: string[] = [];

  async invoke({ event, attempt }: Invocation, next: () => Promise<void>): Promise<void> {
    try {
      await next();
      this.lines.push(`${event.id}, attempt ${attempt}: ended`);
    } catch (error) {
      this.lines.push(`${event.id}, attempt ${attempt}: ${String(error)}`);
      throw error;
    }
  }
}

@Injectable()
class Ledger {
  readonly runs: string[] = [];

  @OnEvent(paid, {
    name: 'ledger',
    priority: 10,
    concurrency: 4,
    timeout: '20s',
    retry: { maxAttempts: 3, initialDelay: 1, jitter: 'none' },
    circuit: { failureThreshold: 3 },
    rateLimit: { limit: 60, period: '1m', store: 'database' },
    idempotency: { ttl: '1h', processingTtl: '1m' },
  })
  async book({ id, payload }: EventMessage<Payment>, context: DeliveryContext): Promise<void> {
    this.runs.push(`${id}, attempt ${context.attempt}`);
    await context.transaction(async (manager) => {
      await manager.getRepository(Order).insert({ name: `${payload.reference} in attempt ${context.attempt}` });
      if (context.attempt === 1) throw new Error('the bank is busy');
    });
  }
}

describe.each(databaseKinds)('a payment with every policy on at once, on $name', (kind) => {
  it('is booked once, in its second attempt; what comes again is a duplicate, and all numbers agree', async () => {
    const shop = await startShop(await ownDatabase(kind), {
      providers: [Audit, Ledger],
      events: { middleware: [Audit] },
    });
    const { publisher, inbox, app } = shop;
    const payload = { account: 'a1', reference: 'r1' };
    const stateOf = async (id: string) => (await inbox.deliveries(id))[0]?.state;
    await publisher.publish(paid, payload, { id: 'first' });
    await shop.until(async () => (await stateOf('first')) === 'completed', 'the payment is booked');
    await publisher.publishAll(['second', 'third'].map((id) => ({ event: paid, payload, id })));
    await shop.until(
      async () => (await stateOf('second')) === 'duplicate' && (await stateOf('third')) === 'duplicate',
      'those that come again are duplicates',
    );

    expect(app.get(Ledger).runs).toEqual(['first, attempt 1', 'first, attempt 2']);
    const { lines } = app.get(Audit);
    expect([lines.slice(0, 2), lines.slice(2).toSorted()]).toEqual([
      ['first, attempt 1: Error: the bank is busy', 'first, attempt 2: ended'],
      ['second, attempt 1: ended', 'third, attempt 1: ended'],
    ]);
    expect(await shop.orders()).toEqual(['r1 in attempt 2']);

    const rows = <T>(sql: string) => shop.dataSource.query<T[]>(sql);
    const keys = await rows<{ handler: string | Buffer; state: string }>(
      'select handler, state from event_idempotency',
    );
    // MariaDB keeps names as bytes.
    expect(keys.map(({ handler, state }) => [String(handler), state])).toEqual([['ledger', 'completed']]);
    expect(await shop.count('event_rate_limit')).toBe(1);
    expect(await shop.count('event_delivery')).toBe(0);
    expect(await shop.count('event_dead_letter')).toBe(0);
    const completions = await rows<{ outcome: string; n: string | number }>(
      'select outcome, count(*) as n from event_completion group by outcome order by outcome',
    );
    const inTables = Object.fromEntries(completions.map(({ outcome, n }) => [outcome, Number(n)]));
    expect(inTables).toEqual({ completed: 1, duplicate: 2 });
    const { ledger } = app.get(EventsStats).snapshot().handlers;
    const { inFlight, processed, completed, retried, failed, dead, snoozed, duplicates, lost, leaked, circuit } =
      ledger;
    expect({
      inFlight,
      processed,
      completed,
      retried,
      failed,
      dead,
      snoozed,
      duplicates,
      lost,
      leaked,
      circuit,
    }).toEqual({
      inFlight: 0,
      processed: 2,
      completed: inTables['completed'],
      retried: 1,
      failed: 1,
      dead: 0,
      snoozed: 0,
      duplicates: inTables['duplicate'],
      lost: 0,
      leaked: 0,
      circuit: 'closed',
    });
    const deliveries = await Promise.all(['first', 'second', 'third'].map((id) => inbox.deliveries(id)));
    expect(deliveries.map(([{ state, attempts, failures }]) => [state, attempts, failures.length])).toEqual([
      ['completed', 2, 1],
      ['duplicate', 0, 0],
      ['duplicate', 0, 0],
    ]);
  });
});
