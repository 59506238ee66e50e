import type { EventStore } from '../../libs/events/src/store/event-store.js';
import { leaseOf } from '../../libs/events/src/store/lease-of.js';
import type { ClaimedDelivery, NewEvent } from '../../libs/events/src/store/records.js';
import { mariadbDatabase, postgresSchema, sqliteFile } from '../support/databases.js';
import { typeormHarness } from '../support/typeorm-harness.js';
import { round } from './bench-app.js';

const BATCH = 500;
const NOW = 1;

const SHAPES: Record<string, (index: number) => string | null> = {
  none: () => null,
  '1,000 lanes': (index) => `k${index % 1_000}`,
  'one lane': () => 'k',
};

const DATABASES: Record<string, () => Parameters<typeof typeormHarness>[0]> = {
  sqlite: sqliteFile,
  postgres: postgresSchema,
  mariadb: mariadbDatabase,
};

async function fill(store: EventStore, total: number, keyOf: (index: number) => string | null): Promise<void> {
  const { version: registryVersion } = await store.loadRegistry();
  for (let done = 0; done < total; done += BATCH) {
    const events = Array.from({ length: BATCH }, (_, index): NewEvent => {
      const orderingKey = keyOf(done + index);
      return {
        id: `e${done + index}`,
        type: 'a.b',
        version: 1,
        payload: '{"amount":1234.56,"currency":"EUR"}',
        headers: null,
        orderingKey,
        priority: null,
        occurredAt: NOW,
        availableAt: null,
        deliveries: [{ handler: 'h', priority: 50, orderingKey }],
      };
    });
    await store.append({ events, registryVersion, now: NOW });
  }
}

/** Answers microseconds per delivery. */
async function drain(store: EventStore, total: number, node: number, ordered: boolean): Promise<number> {
  const lastOf = new Map<string, number>();
  let settled = 0;
  const startedAt = performance.now();
  for (let empty = 0; settled < total;) {
    const wants = [{ handler: 'h', limit: BATCH, ordered }];
    const claimed = (await store.claim({ node, wants, limit: BATCH, suspect: true })) ?? [];
    if (claimed.length === 0 && ++empty > 1_000) throw new Error(`stuck with ${settled} of ${total} settled`);
    checkOrder(claimed, lastOf);
    settled += claimed.length;
    const completed = { outcome: 'completed', attempts: 1, durationMs: 1 } as const;
    const settlements = claimed.map((one) => ({ ...leaseOf(one), ...completed }));
    await store.settle(node, settlements, NOW);
  }
  return ((performance.now() - startedAt) * 1_000) / total;
}

function checkOrder(claimed: readonly ClaimedDelivery[], lastOf: Map<string, number>): void {
  for (const { lane, event } of claimed) {
    if (lane === null) continue;
    if (event.seq < (lastOf.get(lane) ?? 0)) throw new Error(`lane ${lane} is out of order`);
    lastOf.set(lane, event.seq);
  }
}

async function measure(db: string, total: number, shape: string): Promise<number> {
  const harness = await typeormHarness(DATABASES[db]());
  try {
    const { store } = harness;
    const ordered = shape !== 'none';
    const node = await store.registerNode({ label: 'bench', host: 'h', pid: 1 }, NOW);
    const handler = { name: 'h', priority: 50, ordered, onDeadLetter: 'block' as const, patterns: ['**'] };
    await store.registerHandlers(node, [handler], NOW);
    await fill(store, total, SHAPES[shape]);
    return await drain(store, total, node, ordered);
  } finally {
    await harness.dispose();
  }
}

export interface LaneFigures {
  readonly db: string;
  readonly shape: string;
  readonly usPerDelivery: number;
  /** The same, as what it is of a delivery in no lane. */
  readonly ofNone: number;
  readonly exact: boolean;
}

/**
 * What a lane costs: claims and settles all of `total` deliveries, once in no lane, once in 1,000 lanes, once in one. A
 * claim follows the settle of the one before: nothing overlaps, so what is measured is the work and not how much of it
 * two connections can do at once.
 * @throws when a delivery comes out of its lane's order.
 */
export async function lanes(db: string, total: number): Promise<LaneFigures[]> {
  const figures: LaneFigures[] = [];
  for (const shape of Object.keys(SHAPES)) {
    const us = await measure(db, total, shape);
    const none = figures[0]?.usPerDelivery ?? us;
    figures.push({ db, shape, usPerDelivery: round(us), ofNone: round(us / none), exact: true });
  }
  return figures;
}
