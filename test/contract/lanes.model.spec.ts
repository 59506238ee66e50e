/** Scope: any order of publishes, claims, outcomes, redrives, discards, cancels and deaths of nodes against a model of lanes. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventStore } from '../../libs/events/src/store/event-store.js';
import { leaseOf } from '../../libs/events/src/store/lease-of.js';
import type { ClaimedDelivery, SettlementOutcome } from '../../libs/events/src/store/records.js';
import { keyed, ORDERED } from '../../libs/events/src/testing/store-contract/lane-scene.js';
import { COMPLETED, DEAD, failure, join, only, T0 } from '../../libs/events/src/testing/store-contract/scene.js';
import { hasPostgres, postgresSchema, sqliteMemory } from '../support/databases.js';
import { memoryHarness } from '../support/memory-harness.js';
import { typeormHarness } from '../support/typeorm-harness.js';

const SEED = 20261121;

interface Row {
  readonly name: string;
  readonly key: string;
  state: 'pending' | 'scheduled' | 'leased' | 'dead' | 'gone';
  crashes: number;
}

const OUTCOMES: Record<string, { outcome: SettlementOutcome; state: Row['state'] }> = {
  complete: { outcome: COMPLETED, state: 'gone' },
  retry: { outcome: { outcome: 'retry', availableAt: T0 + 1, failure: failure(1) }, state: 'scheduled' },
  snooze: { outcome: { outcome: 'snoozed', availableAt: T0 + 1 }, state: 'scheduled' },
  release: { outcome: { outcome: 'released' }, state: 'pending' },
  die: { outcome: DEAD, state: 'dead' },
};

type Step =
  | { readonly do: 'publish' | 'redrive' | 'discard' | 'cancel'; readonly which: number }
  | { readonly do: 'settle'; readonly which: number; readonly how: string }
  | { readonly do: 'claim' | 'stage' | 'kill' };

const which = fc.nat(1_000);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('publish' as const), which }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('claim' as const) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      which,
      how: fc.constantFrom(...Object.keys(OUTCOMES), 'complete'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('stage' as const, 'kill' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('redrive' as const, 'discard' as const, 'cancel' as const), which }),
  },
);

/** The rules of lanes in the simplest words, and the store beside it. */
class LanesModel {
  private readonly rows: Row[] = [];
  private held: ClaimedDelivery[] = [];
  private node = 0;

  constructor(
    private readonly store: EventStore,
    private readonly onDeadLetter: 'block' | 'skip',
  ) {}

  async start(): Promise<void> {
    this.node = await join(this.store, [{ ...ORDERED, onDeadLetter: this.onDeadLetter }]);
  }

  async take(one: Step): Promise<void> {
    switch (one.do) {
      case 'publish':
        return this.publish(['a', 'b', 'c'][one.which % 3]);
      case 'claim':
        return this.claim();
      case 'settle':
        return this.settle(one.which, one.how);
      case 'stage':
        await this.store.stage(T0 + 1, 1_000);
        for (const row of this.rows) if (row.state === 'scheduled') row.state = 'pending';
        return;
      case 'kill':
        return this.kill();
      default:
        return this.operate(one.do, one.which);
    }
  }

  /** Whatever has happened: when all dead letters are redriven, all is claimed and completed in the end. */
  async finish(): Promise<void> {
    await this.store.redrive({}, 1_000, T0);
    for (const row of this.rows) if (row.state === 'dead') Object.assign(row, { state: 'pending', crashes: 0 });
    await this.take({ do: 'stage' });
    for (let turn = 0; this.rows.some(({ state }) => state !== 'gone'); turn++) {
      if (turn > this.rows.length + 1) throw new Error(`stuck: ${JSON.stringify(this.rows)}`);
      await this.claim();
      while (this.held.length > 0) await this.settle(0, 'complete');
    }
  }

  private async publish(key: string): Promise<void> {
    const name = `e${this.rows.length}`;
    const { version: registryVersion } = await this.store.loadRegistry();
    await this.store.append({ events: [keyed(name, key)], registryVersion, now: T0 });
    this.rows.push({ name, key, state: 'pending', crashes: 0 });
  }

  private async claim(): Promise<void> {
    const wants = [{ handler: 'ledger', limit: 1_000, ordered: true }];
    const claimed = await this.store.claim({ node: this.node, wants, limit: 1_000, suspect: true });
    const runs: Record<string, string[]> = {};
    for (const { lane, event } of claimed ?? []) (runs[lane ?? ''] ??= []).push(event.id);
    expect(runs).toEqual(this.expectedRuns());
    for (const { event, crashes } of claimed ?? []) {
      const row = this.rowOf(event.id);
      expect(crashes).toBe(row.crashes);
      row.state = 'leased';
    }
    this.held.push(...(claimed ?? []));
  }

  private expectedRuns(): Record<string, string[]> {
    const runs: Record<string, string[]> = {};
    let suspect: Row | undefined;
    for (const key of new Set(this.rows.map((row) => row.key))) {
      const lane = this.rows.filter((row) => row.key === key && this.isMember(row));
      if (lane.some(({ state }) => state === 'leased')) continue;
      const end = lane.findIndex(({ state, crashes }) => state !== 'pending' || crashes > 0);
      const run = end < 0 ? lane : lane.slice(0, end);
      if (run.length > 0) runs[key] = run.map(({ name }) => name);
      else if (lane[0]?.state === 'pending' && (!suspect || this.place(lane[0]) < this.place(suspect)))
        [suspect] = lane;
    }
    if (suspect) runs[suspect.key] = [suspect.name];
    return runs;
  }

  private isMember({ state }: Row): boolean {
    return state !== 'gone' && (state !== 'dead' || this.onDeadLetter === 'block');
  }

  private place(row: Row): number {
    return this.rows.indexOf(row);
  }

  private rowOf(name: string): Row {
    return this.rows[Number(name.slice(1))];
  }

  private async settle(index: number, how: string): Promise<void> {
    if (this.held.length === 0) return;
    const [delivery] = this.held.splice(index % this.held.length, 1);
    const { outcome, state } = OUTCOMES[how];
    const row = this.rowOf(delivery.event.id);
    const written = await this.store.settle(this.node, [{ ...leaseOf(delivery), ...outcome }], T0);
    expect(written).toEqual([row.state === 'leased']);
    if (row.state === 'leased') row.state = state;
  }

  private async kill(): Promise<void> {
    await this.store.removeNode(this.node, T0);
    const leased = this.rows.filter(({ state }) => state === 'leased');
    for (const key of new Set(leased.map((row) => row.key))) {
      const [head] = leased.filter((row) => row.key === key);
      head.crashes++;
    }
    for (const row of leased) row.state = 'pending';
    this.held = [];
    await this.start();
  }

  private async operate(verb: 'redrive' | 'discard' | 'cancel', index: number): Promise<void> {
    const isMeant = ({ state }: Row) => (verb === 'cancel' ? !['dead', 'gone'].includes(state) : state === 'dead');
    const meant = this.rows.filter(isMeant);
    if (meant.length === 0) return;
    const row = meant[index % meant.length];
    if (verb === 'redrive') {
      await this.store.redrive({ eventId: row.name }, 1, T0);
      Object.assign(row, { state: 'pending', crashes: 0 });
      return;
    }
    if (verb === 'discard') await this.store.discard({ eventId: row.name }, 1);
    else await this.store.cancel((await only(this.store, row.name)).id, T0);
    row.state = 'gone';
  }
}

describe.each([
  ['in memory', memoryHarness, 400],
  ['on SQLite', () => typeormHarness(sqliteMemory()), 60],
  ...(hasPostgres ? [['on PostgreSQL', () => typeormHarness(postgresSchema()), 12] as const] : []),
] as const)(`lanes %s keep to the model (seed ${SEED})`, (_, makeHarness, numRuns) => {
  it.each(['block', 'skip'] as const)('with dead letters that %s', async (onDeadLetter) => {
    const run = async (steps: readonly Step[]) => {
      const harness = await makeHarness();
      try {
        const model = new LanesModel(harness.store, onDeadLetter);
        await model.start();
        for (const one of steps) await model.take(one);
        await model.finish();
      } finally {
        await harness.dispose();
      }
    };
    const property = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 70 }), run);
    await expect(fc.assert(property, { seed: SEED, numRuns })).resolves.toBeUndefined();
  });
});
