/**
 * Every fault at every named point: the promise is kept. Work that a dead node has left is done by a node that is struck
 * once, and, after a crash, by its successor. Then every handler has run for every event, what it wrote in
 * `context.transaction` is there exactly once, and nothing is stuck, raw or dead.
 */
import { Test } from '@nestjs/testing';
import Table from 'cli-table3';
import { EventPublisher } from 'nestjs-durable-events';
import { EventsTestingModule, EventsTestKit, FAULT_POINTS, type InjectedFault } from 'nestjs-durable-events/testing';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { Maintenance } from '../../libs/events/src/maintenance/maintenance.js';
import { MemoryStore } from '../../libs/events/src/store/memory/memory-store.js';
import { databaseKinds, type DatabaseKind } from '../support/database-kinds.js';
import { FAULT_TABLES, FaultNode, leaveWorkIn } from '../support/fault-node.js';
import type { FaultWorkerConfig } from '../support/fault-node.worker.js';
import {
  EVENTS,
  faultNode,
  type HandlerName,
  leaveWork,
  type Ledger,
  nodeProviders,
  type Strike,
  STRIKER,
  striker,
} from '../support/fault-scene.js';
import { IpcProcess } from '../support/ipc-process.js';
import { WorkDatabase } from '../support/work-database.js';

const BOTH: readonly HandlerName[] = ['transaction', 'plain'];

/** A settle may be the transaction's or the node's, so those points are struck with either handler alone. */
const STRIKES: readonly Strike[] = FAULT_POINTS.flatMap((point) => {
  const sets = point.endsWith('settle') || point.endsWith('handler') ? BOTH.map((name) => [name]) : [BOTH];
  return sets.flatMap((handlers) =>
    (['crash', 'error', 'latency'] as const).map((kind) => ({ point, kind, handlers })),
  );
});

/** A node that does not get the CPU to beat in time does not declare another one dead. */
const RESCUE_MS = 120_000;

const verdicts = new Map<string, Map<string, string>>();

const nameOf = ({ point, handlers }: Strike) => (handlers.length > 1 ? point : `${point} (${handlers[0]})`);

function note(place: string, strike: Strike, verdict: 'kept' | 'NOT KEPT'): void {
  const row = verdicts.get(nameOf(strike)) ?? new Map<string, string>();
  verdicts.set(nameOf(strike), row.set(`${place} ${strike.kind}`, verdict));
}

afterAll(() => {
  const columns = ['memory', ...databaseKinds.map(({ name }) => name)].flatMap((place) =>
    ['crash', 'error', 'latency'].map((kind) => `${place} ${kind}`),
  );
  const table = new Table({
    head: ['the promise is', ...columns.map((name) => name.replace(' ', '\n'))],
    style: { head: [] },
  });
  for (const [name, row] of verdicts) table.push([name, ...columns.map((column) => row.get(column) ?? '')]);
  console.log(table.toString());
});

const titled = STRIKES.map((strike) => [`${strike.kind} ${nameOf(strike)}`, strike] as const);

describe('in memory', () => {
  it.each(titled)('%s', async (_, strike) => {
    const { handlers, kind } = strike;
    note('memory', strike, 'NOT KEPT');
    const runs: number[] = [];
    const start = async (joins?: EventsTestKit) => {
      let publisher: EventPublisher | undefined;
      const ledger: Ledger = {
        effect: async (n) => publisher?.publish('effect.done', { n }),
        run: (n) => runs.push(n),
      };
      const providers = [...nodeProviders(handlers, ledger), ...(joins ? [] : [striker(strike)])];
      const events = EventsTestingModule.forRoot({ joins, lease: '6s', shutdownTimeout: '3s' });
      // Without init(): what the dead node has left must be there before.
      const app = await Test.createTestingModule({ imports: [faultNode(events, providers)] }).compile();
      app.useLogger(false);
      publisher = app.get(EventPublisher);
      const kit = app.get(EventsTestKit);
      let started = false;
      onTestFinished(async () => {
        // Nest waits for the start before it closes, and a node that falls silent while it starts never has.
        if (!started) return;
        const closed = app.close();
        await kit.clock.advance('1m');
        await closed;
      });
      const starts = async () => {
        await app.init();
        started = true;
      };
      return { app, kit, starts, started: () => started };
    };
    const { app, kit, starts, started } = await start();
    const { clock, database } = kit.world;
    const store = new MemoryStore(clock, database);
    await leaveWork(store, handlers, clock.now());
    const starting = starts();
    for (let turns = 0; !started() && !kit.faults.silent && turns < 100; turns++) await clock.advance(10);
    if (kind === 'crash') {
      for (let turns = 0; !kit.faults.silent && turns < 100; turns++) await clock.advance(100);
      const successor = await start(kit);
      await successor.starts();
      // As the successor's rescue would when the beats have not moved for a lease.
      for (const { id } of (await store.nodes()).slice(0, -1)) await store.removeNode(id, clock.now());
      await successor.kit.drain({ advance: true });
    } else {
      await starting;
      // The interval of the next rescue is real time.
      await app.get(Maintenance).rescueLocal();
      await kit.drain({ advance: true });
    }

    expect(app.get<InjectedFault>(STRIKER).strikes).toBe(1);
    expect(kit.outcomes().map(({ outcome }) => outcome)).toEqual(Array(EVENTS * handlers.length).fill('completed'));
    const effects = kit.published<string>('effect.done').map(({ payload }) => (payload as { n: number }).n);
    expect(effects.toSorted((a, b) => a - b)).toEqual(handlers.includes('transaction') ? range : []);
    expect(new Set(runs).size).toBe(handlers.includes('plain') ? EVENTS : 0);
    note('memory', strike, 'kept');
  });
});

const range = Array.from({ length: EVENTS }, (_, n) => n);

class FaultWorker extends IpcProcess<{ kind: 'close' }, { kind: never }> {
  constructor(config: FaultWorkerConfig) {
    super('fault-node.worker.js', config);
  }
}

/** A node in a process of its own, until the fault kills it. */
async function killedBy(strike: Strike, { options }: WorkDatabase): Promise<void> {
  const worker = new FaultWorker({ dataSource: options, strike });
  const { code, signal } = await worker.ended();
  if (signal !== 'SIGKILL') throw new Error(`the node ended with ${signal ?? code}, not by the fault:\n${worker.log}`);
}

/** Errors and latency strike the engine, which is the same on all of them; a crash also strikes the database's own ways. */
const strikesOn = (kind: DatabaseKind) =>
  titled.filter(([, strike]) => strike.kind === 'crash' || kind.name === 'postgres');

describe.concurrent.each(databaseKinds)('on $name', (kind) => {
  // As many as there are cases at a time: whoever is through leaves his to the next.
  const idle: WorkDatabase[] = [];
  afterAll(() => Promise.all(idle.map((work) => work.drop())));

  async function withDatabase(use: (work: WorkDatabase) => Promise<void>): Promise<void> {
    const work = idle.pop() ?? (await WorkDatabase.create(kind, FAULT_TABLES));
    try {
      await use(work);
      await work.empty(['runs', 'effects']);
      idle.push(work);
    } catch (error) {
      await work.drop();
      throw error;
    }
  }

  it.each(strikesOn(kind))('%s', async (_, strike) => {
    const { handlers } = strike;
    note(kind.name, strike, 'NOT KEPT');
    await withDatabase(async (work) => {
      await leaveWorkIn(work.options, handlers);
      const crashes = strike.kind === 'crash';
      if (crashes) await killedBy(strike, work);
      const node = await FaultNode.start(work.options, handlers, crashes ? undefined : strike);
      try {
        await work.until('event_completion', (count) => count === EVENTS * handlers.length, RESCUE_MS);
        expect(node.strikes).toBe(crashes ? undefined : 1);
      } finally {
        await node.close();
      }
      expect(await work.count('event_delivery')).toBe(0);
      expect(await work.count('event_dead_letter')).toBe(0);
      expect(await work.count('event_inbox where fanned_out_at is null')).toBe(0);
      const effects = await work.rows<{ n: number }>('select n from effects order by n');
      expect(effects.map(({ n }) => n)).toEqual(handlers.includes('transaction') ? range : []);
      const runs = await work.count('(select distinct n from runs) r');
      expect(runs).toBe(handlers.includes('plain') ? EVENTS : 0);
      note(kind.name, strike, 'kept');
    });
  });
});
