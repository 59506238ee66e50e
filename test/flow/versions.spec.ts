/** Events of other versions than their definition's, from the publish to the handler, on a clock that stands still. */
import { Injectable } from '@nestjs/common';
import {
  defineEvent,
  EventInbox,
  EventMessage,
  EventPublisher,
  OnEvent,
  PayloadValidationError,
  UpcastError,
} from 'nestjs-durable-events';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { storeOf } from '../support/dispatch-scene.js';
import { closeManualApps, manualApp, type ManualApp } from '../support/manual-app.js';

afterEach(closeManualApps);

/** 1: a number of euros. 2: with its currency. 3: in cents, and the account is called `account`. */
const paid = defineEvent({
  type: 'payment.processed',
  version: 3,
  schema: z.object({
    account: z.string(),
    cents: z.number().int(),
    currency: z.string(),
    note: z.string().default(''),
  }),
  upcasters: {
    1: (old: { from: string; amount: number }) => ({ ...old, currency: 'EUR' }),
    2: async ({ from, amount, currency }: { from: string; amount: number; currency: string }) =>
      Promise.resolve({ account: from, cents: amount * 100, currency }),
  },
  orderingKey: ({ account }) => account,
});

@Injectable()
class Ledger {
  readonly seen: unknown[] = [];

  @OnEvent(paid, { name: 'ledger', retry: { maxAttempts: 3 } })
  book({ version, payload }: EventMessage<{ cents: number }>): void {
    this.seen.push([version, payload]);
  }
}

@Injectable()
class Archive {
  readonly seen: unknown[] = [];

  @OnEvent('payment.*', { name: 'archive' })
  keep({ version, payload }: EventMessage): void {
    this.seen.push([version, payload]);
  }
}

/** As programs publish that do not have this definition, or another one. */
async function publish(setting: ManualApp, event: string | typeof paid, payload: unknown, version: number) {
  const receipt = await setting.app
    .get(EventPublisher)
    .publish(event as string, payload, { version, id: `of version ${version}` });
  await setting.clock.advance(0);
  return receipt.id;
}

describe('an event of an older version', () => {
  const old = { from: 'a1', amount: 5 };

  it('is lifted for handlers of its definition, and is to all others what was published', async () => {
    const setting = await manualApp([Ledger, Archive]);
    await publish(setting, paid, old, 1);
    await publish(setting, 'payment.processed', { from: 'a2', amount: 6, currency: 'USD' }, 2);
    expect(setting.app.get(Ledger).seen).toEqual([
      [3, { account: 'a1', cents: 500, currency: 'EUR', note: '' }],
      [3, { account: 'a2', cents: 600, currency: 'USD', note: '' }],
    ]);
    expect(setting.app.get(Archive).seen).toEqual([
      [1, old],
      [2, { from: 'a2', amount: 6, currency: 'USD' }],
    ]);
  });

  it('is stored as it was published, with the ordering key that its current payload has', async () => {
    const setting = await manualApp([]);
    const id = await publish(setting, paid, old, 1);
    const stored = await storeOf(setting).findEvent(id);
    expect(stored).toMatchObject({ version: 1, payload: JSON.stringify(old), orderingKey: 'a1' });
  });

  it('is refused when it cannot be lifted, or what it is lifted to fails the schema: nothing is stored', async () => {
    const gap = defineEvent({ type: 'a.b', version: 2, schema: z.object({ id: z.string() }) });
    const mutating = defineEvent({
      type: 'a.b',
      version: 2,
      schema: z.object({ id: z.string() }),
      upcasters: { 1: (old: { id?: string }) => Object.assign(old, { id: 'late' }) },
    });
    const { app } = await manualApp([]);
    const publisher = app.get(EventPublisher);
    const payload = { from: 'a', amount: 'five' };
    const options = { version: 1, id: 'e1' };
    await expect(publisher.publish(paid, payload as never, options)).rejects.toBeInstanceOf(PayloadValidationError);
    await expect(publisher.publish(gap, {} as never, options)).rejects.toBeInstanceOf(UpcastError);
    const own = {};
    await expect(publisher.publish(mutating, own as never, options)).rejects.toBeInstanceOf(UpcastError);
    expect([await app.get(EventInbox).get('e1'), own, Object.isFrozen(own)]).toEqual([null, {}, false]);
  });

  it('need not be lifted when its definition asks nothing of payloads', async () => {
    const plain = defineEvent<{ id: string }>({ type: 'a.b', version: 2 });
    const { app } = await manualApp([]);
    const { id } = await app.get(EventPublisher).publish(plain, { id: 'x' }, { version: 1 });
    expect(await app.get(EventInbox).get(id)).toMatchObject({ version: 1, payload: { id: 'x' } });
  });

  it('that cannot be lifted, or fails the schema then, is a dead letter at once', async () => {
    const gap = defineEvent<{ id: string }>({ type: 'payment.gone', version: 3, upcasters: { 2: () => ({ id: '' }) } });
    @Injectable()
    class Gap {
      @OnEvent(gap, { name: 'gap' })
      run(): void {}
    }
    const setting = await manualApp([Ledger, Gap]);
    const ids = [
      await publish(setting, 'payment.gone', { id: 1 }, 1),
      await publish(setting, 'payment.processed', { from: 'a', amount: 'five', currency: 'EUR' }, 2),
    ];
    const inbox = setting.app.get(EventInbox);
    const deliveries = await Promise.all(ids.map((id) => inbox.deliveries(id)));
    expect(
      deliveries.map(([{ state, reason, attempts, failures }]) => [state, reason, attempts, failures[0].name]),
    ).toEqual([
      ['dead', 'rejected', 1, 'UpcastError'],
      ['dead', 'rejected', 1, 'PayloadValidationError'],
    ]);
  });
});

describe('an event of a newer version', () => {
  it('is published without the schema, which knows nothing of it, and waits for a node that does', async () => {
    const setting = await manualApp([Ledger, Archive]);
    const id = await publish(setting, paid, { account: 'a1', amounts: [] }, 4);
    const states = (await setting.app.get(EventInbox).deliveries(id)).map(
      ({ handler, state, attempts }) => `${handler} ${state} ${attempts}`,
    );
    expect(states.toSorted()).toEqual(['archive completed 1', 'ledger scheduled 0']);
    expect(setting.app.get(Ledger).seen).toEqual([]);
    expect(setting.app.get(Archive).seen).toEqual([[4, { account: 'a1', amounts: [] }]]);
  });
});
