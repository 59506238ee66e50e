/** Events of several versions in one cluster, as in a rolling deploy; on a clock that stands still. */
import { Injectable, type Type } from '@nestjs/common';
import {
  DeadLetters,
  defineEvent,
  type EventDefinition,
  EventInbox,
  EventMessage,
  EventPublisher,
  EventsNode,
  EventsStats,
  OnEvent,
} from 'nestjs-durable-events';
import { afterEach, describe, expect, it } from 'vitest';
import { closeManualApps, type ManualApp } from '../support/manual-app.js';
import { ManualCluster, nodeId, statsOf } from '../support/manual-cluster.js';

afterEach(closeManualApps);

/** Euros. */
interface PaidV1 {
  readonly amount: number;
}
interface PaidV2 extends PaidV1 {
  readonly currency: string;
}
/** Cents. */
interface PaidV3 {
  readonly cents: number;
  readonly currency: string;
}

const type = 'payment.processed';
const inEuros = (old: PaidV1): PaidV2 => ({ ...old, currency: 'EUR' });
const inCents = ({ amount, currency }: PaidV2): PaidV3 => ({ cents: amount * 100, currency });
const paidV1 = defineEvent<PaidV1>({ type });
const paidV3 = defineEvent<PaidV3>({ type, version: 3, upcasters: { 1: inEuros, 2: inCents } });

interface Seen {
  readonly version: number;
  readonly payload: unknown;
  readonly node: string;
}

/** A handler of this definition, called `ledger` on every node that has it. */
function ledger<P>(definition: EventDefinition<P>, seen: Seen[]): Type {
  @Injectable()
  class Ledger {
    constructor(private readonly node: EventsNode) {}

    @OnEvent(definition as EventDefinition, { name: 'ledger' })
    book({ version, payload }: EventMessage): void {
      seen.push({ version, payload, node: this.node.id });
    }
  }
  return Ledger;
}

async function close({ app, clock }: ManualApp): Promise<void> {
  const closed = app.close();
  await clock.advance(100);
  await closed;
}

async function fate({ app, clock }: ManualApp, id: string) {
  const [{ state, attempts, availableAt, reason, failures }] = await app.get(EventInbox).deliveries(id);
  return {
    state,
    attempts,
    ...(availableAt && { inMs: Number(availableAt) - clock.now() }),
    ...(reason && { reason }),
    failures: failures.map(({ name, message, causes = [] }) =>
      [`${name}: ${message}`, ...causes.map((cause) => `${cause.name}: ${cause.message}`)].join(', because of '),
    ),
  };
}

describe('an event that a node with the older definition has stored', () => {
  it('reaches the handler of the newer one through every step between, and stays in the inbox as it was', async () => {
    const cluster = new ManualCluster();
    const steps: unknown[] = [];
    const traced = defineEvent<PaidV3>({
      type,
      version: 3,
      upcasters: {
        1: (old: PaidV1) => (steps.push([1, old]), inEuros(old)),
        2: (old: PaidV2) => (steps.push([2, old]), inCents(old)),
      },
    });
    const seen: Seen[] = [];
    const old = await cluster.start([ledger(paidV1, [])]);
    await old.app.get(EventPublisher).publish(paidV1, { amount: 5 }, { id: 'e', delay: '1h' });
    await close(old);
    const node = await cluster.start([ledger(traced, seen)]);
    await cluster.clock.advance(3_600_000);
    expect([steps, seen]).toEqual([
      [
        [1, { amount: 5 }],
        [2, { amount: 5, currency: 'EUR' }],
      ],
      [{ version: 3, payload: { cents: 500, currency: 'EUR' }, node: String(nodeId(node)) }],
    ]);
    const stored = await node.app.get(EventInbox).get('e');
    expect([stored?.version, stored?.payload]).toEqual([1, { amount: 5 }]);
    expect(await fate(node, 'e')).toEqual({ state: 'completed', attempts: 1, failures: [] });
  });

  it.each<[string, EventDefinition<PaidV3>, string]>([
    [
      'has no step for it',
      defineEvent<PaidV3>({ type, version: 3, upcasters: { 2: inCents } }),
      'UpcastError: payment.processed cannot be lifted from version 1 to 2: its definition has no upcaster for that',
    ],
    [
      'has a later step missing',
      defineEvent<PaidV3>({ type, version: 3, upcasters: { 1: inEuros } }),
      'UpcastError: payment.processed cannot be lifted from version 2 to 3: its definition has no upcaster for that',
    ],
    [
      'has a step that throws',
      defineEvent<PaidV3>({
        type,
        version: 3,
        upcasters: {
          1: () => {
            throw new RangeError('what is EUR');
          },
          2: inCents,
        },
      }),
      'UpcastError: payment.processed cannot be lifted from version 1 to 2: the upcaster failed, because of RangeError: what is EUR',
    ],
  ])('is rejected at once by a definition that %s; the dead letter says which', async (_, definition, failure) => {
    const cluster = new ManualCluster();
    const seen: Seen[] = [];
    const old = await cluster.start([ledger(paidV1, [])]);
    await old.app.get(EventPublisher).publish(paidV1, { amount: 5 }, { id: 'e', delay: '1m' });
    await close(old);
    const node = await cluster.start([ledger(definition, seen)]);
    await cluster.clock.advance(60_000);
    expect(await fate(node, 'e')).toEqual({ state: 'dead', attempts: 1, reason: 'rejected', failures: [failure] });
    const { items } = await node.app.get(DeadLetters).list({ reason: 'rejected' });
    expect([seen, items.map(({ event }) => event.payload)]).toEqual([[], [{ amount: 5 }]]);
    // What the breaker watches is not failing.
    expect(statsOf(node, 'ledger')).toMatchObject({ circuit: 'closed', failed: 1, dead: 1, retried: 0 });
  });
});

describe('an event of a newer version', () => {
  it('is put back by nodes that do not know it, costs no attempt, and runs on the first that does', async () => {
    const cluster = new ManualCluster();
    const [seenByOld, seenByNew]: [Seen[], Seen[]] = [[], []];
    const old = await cluster.start([ledger(paidV1, seenByOld)]);
    const publisher = await cluster.start([]);
    await publisher.app.get(EventPublisher).publish(paidV3, { cents: 500, currency: 'EUR' }, { id: 'new' });
    await publisher.app.get(EventPublisher).publish(paidV1, { amount: 7 }, { id: 'old' });
    // Other nodes are told a little later.
    await cluster.clock.advance(10);
    expect([await fate(old, 'new'), await fate(old, 'old')]).toEqual([
      { state: 'scheduled', attempts: 0, inMs: 5_000, failures: [] },
      { state: 'completed', attempts: 1, failures: [] },
    ]);
    await cluster.clock.advance(60_000);
    expect(old.app.get(EventsStats).snapshot().total).toMatchObject({ failed: 0, completed: 1, dead: 0 });
    expect(cluster.log.matching(/of version 3/)).toEqual([
      'warn: ledger: payment.processed is of version 3, but this node knows versions up to 1; such events wait for a node that does (said once)',
    ]);

    await old.app.get(EventsNode).pause();
    const fresh = await cluster.start([ledger(paidV3, seenByNew)]);
    await cluster.clock.advance(6_000);
    expect([seenByOld.map(({ version }) => version), seenByNew]).toEqual([
      [1],
      [{ version: 3, payload: { cents: 500, currency: 'EUR' }, node: String(nodeId(fresh)) }],
    ]);
    expect(await fate(fresh, 'new')).toEqual({ state: 'completed', attempts: 1, failures: [] });
  });
});
