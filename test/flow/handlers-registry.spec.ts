/** The cluster's handlers as operators see and steer them; two nodes on a clock that stands still. */
import { Injectable, type Type } from '@nestjs/common';
import {
  DeadLetters,
  EventHandlerRegistry,
  EventInbox,
  EventMessage,
  EventPublisher,
  EventsNode,
  EventsStats,
  OnEvent,
  UnknownHandlerError,
} from 'nestjs-durable-events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Maintenance } from '../../libs/events/src/maintenance/maintenance.js';
import { publish, range, states } from '../support/dispatch-scene.js';
import { closeManualApps, type ManualApp } from '../support/manual-app.js';
import { ManualCluster, nodeId, statsOf } from '../support/manual-cluster.js';

afterEach(closeManualApps);

const START = Date.UTC(2026, 0, 1);

let ran: string[];
let hold: Promise<void> | undefined;
let cluster: ManualCluster;
beforeEach(() => {
  ran = [];
  hold = undefined;
  cluster = new ManualCluster();
});

/** A handler of payments with this name. */
function payments(name: string, aliases: string[] = []): Type {
  @Injectable()
  class Payments {
    @OnEvent('payment.*', {
      name,
      aliases,
      concurrency: 1,
      priority: 20,
      retry: { initialDelay: '1h', maxDelay: '1h' },
    })
    run({ id }: EventMessage): Promise<void> | undefined {
      ran.push(id);
      return hold;
    }
  }
  return Payments;
}

@Injectable()
class Mails {
  @OnEvent('mail.wanted', { name: 'mails' })
  send(): void {}
}

const registryOf = ({ app }: ManualApp) => app.get(EventHandlerRegistry);

async function close({ app, clock }: ManualApp): Promise<void> {
  const closed = app.close();
  await clock.advance(100);
  await closed;
}

describe('a paused handler', () => {
  it('runs on no node: what is claimed and has not begun is given back, what runs ends, what comes waits', async () => {
    const [a, b] = await cluster.startTwo([payments('payments'), Mails]);
    await b.app.get(EventsNode).pause();
    await publish(a, 'payment.made', ['warm']);
    let end = (): void => undefined;
    hold = new Promise((resolve) => (end = resolve));
    await publish(a, 'payment.made', ['running', 'held', 'held too']);
    await b.app.get(EventsNode).resume();
    expect(await states(a, ['running', 'held', 'held too'])).toEqual(range('', 3).map(() => 'processing 0'));

    await registryOf(b).pause('payments');
    await cluster.clock.advance(0);
    expect([a, b].map((node) => statsOf(node, 'payments')).map(({ paused, health }) => [paused, health])).toEqual([
      [true, 'degraded'],
      [true, 'degraded'],
    ]);
    expect(await states(a, ['running', 'held', 'held too'])).toEqual(['processing 0', 'pending 0', 'pending 0']);
    await publish(b, 'payment.made', ['new']);
    end();
    await cluster.clock.advance(60_000);
    expect(await states(a, ['running', 'held', 'held too', 'new'])).toEqual([
      'completed 1',
      'pending 0',
      'pending 0',
      'pending 0',
    ]);
    await publish(a, 'mail.wanted', ['mail']);
    expect(await states(a, ['mail'])).toEqual(['completed 1']);

    hold = undefined;
    await registryOf(a).resume('payments');
    await cluster.clock.advance(0);
    expect(ran).toEqual(['warm', 'running', 'held', 'held too', 'new']);
    expect([a, b].map((node) => statsOf(node, 'payments').paused)).toEqual([false, false]);
  });

  it('is paused on every node after a restart of all, until it is resumed', async () => {
    const first = await cluster.start([payments('payments')]);
    await registryOf(first).pause('payments');
    await publish(first, 'payment.made', ['waiting']);
    await close(first);
    const [a, b] = await cluster.startTwo([payments('payments')]);
    await cluster.clock.advance(60_000);
    expect([ran, (await registryOf(b).get('payments'))?.paused]).toEqual([[], true]);
    await registryOf(b).resume('payments');
    await cluster.clock.advance(2_000);
    expect([ran, (await registryOf(a).get('payments'))?.paused]).toEqual([['waiting'], false]);
  });
});

describe('the list', () => {
  it('shows of each handler what it is, who has it, and what waits for it', async () => {
    const a = await cluster.start([payments('payments'), Mails], { nodeId: 'alpha' });
    const b = await cluster.start([payments('payments')], { nodeId: 'beta' });
    await registryOf(a).pause('payments');
    await cluster.clock.advance(5_000);
    await publish(a, 'payment.made', ['one', 'two']);
    await a.app.get(EventPublisher).publish('payment.made', {}, { delay: '1h' });
    const [mails, charged] = await registryOf(b).list();
    const nothing = { pending: 0, scheduled: 0, processing: 0, dead: 0 };
    const times = { firstSeen: new Date(START), lastSeen: new Date(START) };
    const circuit = { state: 'closed', successes: 0 };
    const alpha = { id: String(nodeId(a)), label: 'alpha' };
    expect(mails).toEqual({
      name: 'mails',
      patterns: ['mail.wanted'],
      priority: 50,
      paused: false,
      circuit,
      nodes: [alpha],
      backlog: nothing,
      ...times,
    });
    const { options, ...rest } = charged;
    expect(rest).toEqual({
      name: 'payments',
      patterns: ['payment.*'],
      priority: 20,
      paused: true,
      circuit,
      nodes: [alpha, { id: String(nodeId(b)), label: 'beta' }],
      backlog: { ...nothing, pending: 2, scheduled: 1, oldestPendingAt: new Date(START + 5_000) },
      ...times,
    });
    expect(options).toMatchObject({ concurrency: 1, priority: 20, timeoutMs: 30_000, retry: { maxAttempts: 5 } });
    expect(await registryOf(b).get('payments')).toEqual(charged);
    expect(await registryOf(b).get('payment')).toBeNull();
  });

  it.each(['pause', 'resume', 'retire'] as const)('knows who was meant by a name that is wrong: %s', async (verb) => {
    const node = await cluster.start([payments('payments'), Mails]);
    const registry = registryOf(node);
    const error: unknown = await registry[verb]('payment').catch((error: unknown) => error);
    expect(error).toBeInstanceOf(UnknownHandlerError);
    expect((error as Error).message).toBe('there is no handler payment (did you mean payments?)');
    await expect(registry[verb]('zzzzzzzzzzzz')).rejects.toMatchObject({ code: 'EVENTS_UNKNOWN_HANDLER' });
  });
});

describe('a retired handler', () => {
  it('gets nothing new; what waits for it are dead letters, expired; a start with it brings it back', async () => {
    const old = await cluster.start([payments('payments')]);
    await registryOf(old).pause('payments');
    await publish(old, 'payment.made', ['waiting']);
    await old.app.get(EventPublisher).publish('payment.made', {}, { id: 'delayed', delay: '1h' });
    await close(old);
    const node = await cluster.start([Mails]);
    await registryOf(node).retire('payments');
    await publish(node, 'payment.made', ['new']);
    const letters = async () => {
      const { items } = await node.app.get(DeadLetters).list({ handler: 'payments' });
      return items.map(({ event, reason, attempts }) => [event.id, reason, attempts]);
    };
    // Newest first.
    expect(await letters()).toEqual([
      ['delayed', 'expired', 0],
      ['waiting', 'expired', 0],
    ]);
    expect(await node.app.get(EventInbox).deliveries('new')).toEqual([]);
    expect((await registryOf(node).get('payments'))?.retiredAt).toEqual(new Date(cluster.clock.now()));

    const back = await cluster.start([payments('payments')]);
    expect((await registryOf(back).get('payments'))?.retiredAt).toBeUndefined();
    await registryOf(back).resume('payments');
    await publish(back, 'payment.made', ['later']);
    expect(await node.app.get(DeadLetters).redrive({ reason: 'expired' })).toBe(2);
    await cluster.clock.advance(2_000);
    expect(ran).toEqual(['later', 'waiting', 'delayed']);
  });

  it('is one that no live node has had for retireAfter, and no sooner', async () => {
    const gone = await cluster.start([payments('payments')]);
    const node = await cluster.start([Mails], { retireAfter: '10m' });
    const maintenance = node.app.get(Maintenance);
    await registryOf(gone).pause('payments');
    await publish(gone, 'payment.made', ['waiting']);
    await cluster.clock.advance(900_000);
    await maintenance.retire();
    await close(gone);
    const retired = async () => {
      await maintenance.retire();
      return (await registryOf(node).get('payments'))?.retiredAt !== undefined;
    };
    // It was there when they last looked.
    await cluster.clock.advance(599_000);
    expect([await retired(), await states(node, ['waiting'])]).toEqual([false, ['pending 0']]);
    await cluster.clock.advance(1_001);
    expect([await retired(), await states(node, ['waiting'])]).toEqual([true, ['dead 0']]);
    expect(cluster.log.matching(/is retired/)).toEqual([
      'warn: handler payments is retired: no live node has had it for 600000 ms',
    ]);
    expect(node.app.get(EventsStats).snapshot().handlers['mails'].health).toBe('healthy');
  });

  it('is none that is merely not there yet when the whole cluster has been down for long', async () => {
    await close(await cluster.start([payments('payments')]));
    await cluster.clock.advance(30 * 86_400_000);
    const node = await cluster.start([Mails], { retireAfter: '7d' });
    const maintenance = node.app.get(Maintenance);
    await cluster.clock.advance(599_000);
    await maintenance.retire();
    expect((await registryOf(node).get('payments'))?.retiredAt).toBeUndefined();
  });
});

describe('a handler that no live node has', () => {
  it('is reported once when deliveries wait for it, and once when it is back', async () => {
    await close(await cluster.start([payments('payments')]));
    const node = await cluster.start([Mails]);
    const maintenance = node.app.get(Maintenance);
    const said = () => cluster.log.matching(/no live node has|on a live node again/);
    await maintenance.retire();
    expect(said()).toEqual([]);
    await publish(node, 'payment.made', ['one', 'two']);
    await maintenance.retire();
    await maintenance.retire();
    const absent =
      'warn: no live node has handler payments: 2 deliveries wait for one (last seen 2026-01-01T00:00:00.000Z)';
    expect(said()).toEqual([absent]);
    await cluster.start([payments('payments')]);
    await maintenance.retire();
    await maintenance.retire();
    expect(said()).toEqual([absent, 'log: handler payments is on a live node again']);
    expect(ran).toEqual(['one', 'two']);
  });

  it('leaves what waits for it to the one that has its name as an alias, and gets nothing more', async () => {
    const old = await cluster.start([payments('payments')]);
    await registryOf(old).pause('payments');
    await publish(old, 'payment.made', ['waiting']);
    await old.app.get(EventPublisher).publish('payment.made', {}, { id: 'delayed', delay: '1h' });
    await close(old);
    const renamed = await cluster.start([payments('charges', ['payments'])]);
    await publish(renamed, 'payment.made', ['new']);
    expect(ran).toEqual(['waiting', 'new']);
    await cluster.clock.advance(3_600_000);
    expect(ran).toEqual(['waiting', 'new', 'delayed']);
    const deliveries = await Promise.all(
      ['waiting', 'new', 'delayed'].map((id) => renamed.app.get(EventInbox).deliveries(id)),
    );
    expect(deliveries.map((all) => all.map(({ handler, state }) => [handler, state]))).toEqual(
      range('', 3).map(() => [['charges', 'completed']]),
    );
    expect((await registryOf(renamed).get('payments'))?.retiredAt).toBeInstanceOf(Date);
  });
});
