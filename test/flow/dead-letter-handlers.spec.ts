/** What becomes of a dead letter: who is told of it, durably, and how it comes back; on a clock that stands still. */
import { Injectable } from '@nestjs/common';
import {
  type DeadLetter,
  DeadLetters,
  EventHandlerRegistry,
  EventInbox,
  EventMessage,
  EventPublisher,
  OnDeadLetter,
  OnEvent,
} from 'nestjs-durable-events';
import { afterEach, describe, expect, it } from 'vitest';
import { retry } from '../support/dispatch-scene.js';
import { closeManualApps, manualApp, type ManualApp } from '../support/manual-app.js';
import { ManualCluster } from '../support/manual-cluster.js';

afterEach(closeManualApps);

/** Declines every payment, until it is healed. */
@Injectable()
class Payments {
  healed = false;
  readonly charged: [id: string, atMs: number][] = [];

  @OnEvent('payment.*', { name: 'payments', circuit: false, retry: { ...retry, maxAttempts: 2 } })
  charge({ id, receivedAt }: EventMessage): void {
    if (!this.healed) throw new Error(`no ${id}`, { cause: new TypeError('bank away') });
    this.charged.push([id, clockOf() - Number(receivedAt)]);
  }
}

let clockOf: () => number = () => 0;

/** Rings for dead payments; it fails as often as it is told to. */
@Injectable()
class Alarm {
  failures = 0;
  readonly attempts: number[] = [];
  readonly rung: DeadLetter[] = [];

  @OnDeadLetter('payment.made', { name: 'alarm', circuit: false, retry: { ...retry, maxAttempts: 3 } })
  ring({ payload }: EventMessage<DeadLetter>, { attempt }: { attempt: number }): void {
    this.attempts.push(attempt);
    if (this.failures-- > 0) throw new Error('the pager is away');
    this.rung.push(payload);
  }
}

async function publish({ app, clock }: ManualApp, ids: string[], type = 'payment.made'): Promise<void> {
  clockOf = () => clock.now();
  const headers = { tenant: 'acme' };
  const events = ids.map((id) => ({ event: type, payload: { amount: 5 }, id, headers, orderingKey: 'k' }));
  await app.get(EventPublisher).publishAll(events);
  await clock.advance(0);
}

describe('a handler of dead letters', () => {
  it('is told of the death at once, with everything that is known of it', async () => {
    const setting = await manualApp([Payments, Alarm]);
    const { app, clock } = setting;
    await publish(setting, ['e']);
    expect(app.get(Alarm).rung).toEqual([]);
    await clock.advance(1_000);
    const { rung } = app.get(Alarm);
    const failure = (attempt: number) => ({
      attempt,
      at: new Date(clock.now() - (attempt === 1 ? 1_000 : 0)),
      durationMs: 0,
      name: 'Error',
      message: 'no e',
      stack: expect.stringContaining('dead-letter-handlers.spec.ts') as string,
      causes: [{ name: 'TypeError', message: 'bank away', stack: expect.any(String) as string }],
      node: expect.any(String) as string,
    });
    const [{ event, ...about }] = rung;
    expect(about).toEqual({
      id: '1',
      handler: 'payments',
      reason: 'exhausted',
      attempts: 2,
      failures: [failure(1), failure(2)],
      diedAt: new Date(clock.now()),
    });
    const { id, type, version, payload, headers, orderingKey, receivedAt } = event;
    expect({ id, type, version, payload, headers, orderingKey, receivedAt }).toEqual({
      id: 'e',
      type: 'payment.made',
      version: 1,
      payload: { amount: 5 },
      headers: { tenant: 'acme' },
      orderingKey: 'k',
      receivedAt: new Date(clock.now() - 1_000),
    });
  });

  it('is tried again when it fails, and loses nothing: the notice is a durable delivery', async () => {
    const setting = await manualApp([Payments, Alarm]);
    const { app, clock } = setting;
    const alarm = app.get(Alarm);
    alarm.failures = 2;
    await publish(setting, ['e']);
    await clock.advance(2_999);
    expect([alarm.attempts, alarm.rung.length]).toEqual([[1, 2], 0]);
    await clock.advance(1);
    expect([alarm.attempts, alarm.rung.map(({ event }) => event.id)]).toEqual([[1, 2, 3], ['e']]);
  });

  it('hears of a death on another node, and of those that came before its own node was there', async () => {
    const cluster = new ManualCluster();
    const first = await cluster.start([Payments]);
    const second = await cluster.start([Alarm]);
    await publish(first, ['early']);
    await cluster.clock.advance(3_000);
    expect(second.app.get(Alarm).rung.map(({ event }) => event.id)).toEqual(['early']);
    const closed = second.app.close();
    await cluster.clock.advance(100);
    await closed;
    // Nobody has the alarm now: it waits, as any delivery does.
    await publish(first, ['late']);
    await cluster.clock.advance(3_000);
    const third = await cluster.start([Alarm]);
    await cluster.clock.advance(2_000);
    expect(third.app.get(Alarm).rung.map(({ event }) => event.id)).toEqual(['late']);
  });

  it('is told only of the types that it asks for, and of each death of a delivery anew', async () => {
    const setting = await manualApp([Payments, Alarm]);
    const { app, clock } = setting;
    await publish(setting, ['other'], 'payment.refused');
    await publish(setting, ['e']);
    await clock.advance(1_000);
    expect(await app.get(DeadLetters).count()).toBe(2);
    expect(await app.get(DeadLetters).redrive({ all: true })).toBe(2);
    await clock.advance(2_000);
    expect(app.get(Alarm).rung.map(({ event, attempts }) => [event.id, attempts])).toEqual([
      ['e', 2],
      ['e', 2],
    ]);
  });

  it('that asks for all, and dies itself, raises no further alarm', async () => {
    const attempts: number[] = [];
    @Injectable()
    class Broken {
      @OnDeadLetter(undefined, { name: 'broken', circuit: false, retry: { ...retry, maxAttempts: 3 } })
      ring(_event: EventMessage<DeadLetter>, { attempt }: { attempt: number }): void {
        attempts.push(attempt);
        throw new Error('the pager is away');
      }
    }
    const setting = await manualApp([Payments, Broken]);
    const { app, clock } = setting;
    await publish(setting, ['e']);
    await clock.advance(60_000);
    const { items } = await app.get(DeadLetters).list();
    expect([attempts, items.map(({ handler, event }) => [handler, event.type])]).toEqual([
      [1, 2, 3],
      [
        ['broken', 'events.dead-letter'],
        ['payments', 'payment.made'],
      ],
    ]);
    // A notice is called after the delivery that has died and its claims.
    const noticeIds = items.map(({ id, attempts }) => `events.dead-letter:${id}:${attempts}`);
    const notices = await Promise.all(noticeIds.map((id) => app.get(EventInbox).get(id)));
    expect(notices.map((notice) => notice !== null)).toEqual([false, true]);
  });

  it('is told of what has expired with its handler', async () => {
    const setting = await manualApp([Payments, Alarm]);
    const { app, clock } = setting;
    await app.get(EventHandlerRegistry).pause('payments');
    await publish(setting, ['e']);
    await app.get(EventHandlerRegistry).retire('payments');
    await clock.advance(2_000);
    const { rung } = app.get(Alarm);
    expect(
      rung.map(({ handler, reason, attempts, failures, event }) => [handler, reason, attempts, failures, event.id]),
    ).toEqual([['payments', 'expired', 0, [], 'e']]);
  });
});

describe('dead letters', () => {
  /** These have died, a second apart. */
  async function dead(...ids: string[]) {
    const setting = await manualApp([Payments]);
    for (const id of ids) {
      await publish(setting, [id]);
      await setting.clock.advance(1_000);
    }
    setting.app.get(Payments).healed = true;
    return { ...setting, letters: setting.app.get(DeadLetters), payments: setting.app.get(Payments) };
  }

  it('come back at the rate that is asked for: each is scheduled for its moment', async () => {
    const { app, clock, letters, payments } = await dead('a', 'b', 'c', 'd');
    expect(await letters.redrive({ all: true }, { rate: 4, limit: 3 })).toBe(3);
    const deliveries = await Promise.all(['a', 'b', 'c', 'd'].map((id) => app.get(EventInbox).deliveries(id)));
    expect(
      deliveries.map(([{ state, attempts, availableAt }]) => [
        state,
        attempts,
        availableAt && Number(availableAt) - clock.now(),
      ]),
    ).toEqual([
      ['pending', 0, undefined],
      ['scheduled', 0, 250],
      ['scheduled', 0, 500],
      ['dead', 2, undefined],
    ]);
    await clock.advance(499);
    expect(payments.charged.map(([id]) => id)).toEqual(['a', 'b']);
    await clock.advance(1);
    expect([payments.charged.map(([id]) => id), await letters.count()]).toEqual([['a', 'b', 'c'], 1]);
  });

  it('are found by error text, type, reason and time, all of which must fit', async () => {
    const { clock, letters } = await dead('a', 'b', 'c');
    const now = clock.now();
    const found = async (filter: Parameters<DeadLetters['list']>[0]) => {
      const { items } = await letters.list(filter);
      return items.map(({ event }) => event.id);
    };
    expect([
      await found({}),
      await found({ error: 'no b' }),
      await found({ error: 'bank away' }),
      await found({ eventType: 'payment.made', handler: 'payments', reason: 'exhausted' }),
      await found({ reason: 'expired' }),
      await found({ since: new Date(now - 1_000), until: new Date(now) }),
      await found({ error: 'bank away', until: new Date(now - 1_000) }),
    ]).toEqual([['c', 'b', 'a'], ['b'], ['c', 'b', 'a'], ['c', 'b', 'a'], [], ['b'], ['a']]);
  });

  it('that two operators redrive at once come back once; an empty filter is refused', async () => {
    const { clock, letters, payments } = await dead('a', 'b', 'c');
    await expect(letters.redrive({})).rejects.toMatchObject({ code: 'EVENTS_EMPTY_FILTER' });
    const redriven = await Promise.all([letters.redrive({ handler: 'payments' }), letters.redrive({ all: true })]);
    await clock.advance(1_000);
    expect([redriven.reduce((sum, n) => sum + n), payments.charged.map(([id]) => id)]).toEqual([3, ['a', 'b', 'c']]);
  });
});
