/** Scope: `context.transaction` of an ordered handler whose database gives each transaction one snapshot by default. */
import { Injectable } from '@nestjs/common';
import { type DeliveryContext, type EventMessage, OnEvent } from 'nestjs-durable-events';
import { DataSource } from 'typeorm';
import { expect, it } from 'vitest';
import { databaseKinds } from '../support/database-kinds.js';
import { Order } from '../support/shop.js';
import { ownDatabase, startShop } from '../support/shop-app.js';

/** SQLite has one writer: nothing is published while a handler's transaction is open. */
const servers = databaseKinds.filter(({ name }) => name !== 'sqlite');

it.each(servers)('$name: wakes what was published, and found the lane taken, after the snapshot', async (kind) => {
  const database = await ownDatabase(kind);
  if (kind.name === 'postgres') {
    const admin = await new DataSource(database.options).initialize();
    await admin.query(`do $$ begin execute format(
      'alter database %I set default_transaction_isolation = %L', current_database(), 'repeatable read'); end $$`);
    await admin.destroy();
  }
  let goOn: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (goOn = resolve));
  const begun: number[] = [];

  @Injectable()
  class Ordered {
    @OnEvent('step', { name: 'ordered', ordering: true, retry: false })
    async run({ payload: { n } }: EventMessage<{ n: number }>, context: DeliveryContext): Promise<void> {
      await context.transaction(async (manager) => {
        await manager.getRepository(Order).count();
        begun.push(n);
        if (n === 1) await released;
        await manager.getRepository(Order).insert({ name: `step ${n}` });
      });
    }
  }
  const shop = await startShop(database, { providers: [Ordered] });
  const publish = (n: number) => shop.publisher.publish('step', { n }, { orderingKey: 'k' });
  await publish(1);
  await shop.until(() => begun.length === 1, 'the first has its snapshot');
  await publish(2);
  const isParked = kind.name === 'postgres' ? 'lane_wait' : 'lane_wait = 1';
  await shop.until(async () => (await shop.count(`event_delivery where ${isParked}`)) === 1, 'the second waits');
  goOn();
  await shop.until(async () => (await shop.count('event_completion')) === 2, 'both are completed');
  expect(begun).toEqual([1, 2]);
  expect(await shop.orders()).toEqual(['step 1', 'step 2']);
});
