/** Scope: what a claim passes over, where only a hand in the database can set the scene. */
import { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  append,
  at,
  claim,
  claimOne,
  event,
  eventIds,
  join,
  startMeanwhile,
  T0,
} from '../../libs/events/src/testing/store-contract/scene.js';
import type { ClaimRequest } from '../../libs/events/src/store/delivery.store.js';
import { claimPostgres } from '../../libs/events/src/typeorm/sql/claim.postgres.js';
import type { Statement } from '../../libs/events/src/typeorm/verb.js';
import { tables } from '../../libs/events/src/typeorm/tables.js';
import { hasPostgres, postgresSchema, sharedDatabases, type TestDatabase } from '../support/databases.js';
import { type TypeOrmHarness, typeormHarness } from '../support/typeorm-harness.js';

let harness: TypeOrmHarness;

interface PlanNode {
  readonly 'Index Name'?: string;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly PlanNode[];
}

/** Blocks that the claim reads in search of its candidates, as the database counts them; what it leases is rolled back. */
async function blocksRead({ connection, schema }: TestDatabase, request: ClaimRequest): Promise<number> {
  const statement = claimPostgres(tables('postgres', 'event_', schema))(request).next().value as Statement;
  const source = await new DataSource(connection).initialize();
  const runner = source.createQueryRunner();
  try {
    await runner.startTransaction();
    await runner.query('set local enable_seqscan = off');
    const sql = `explain (analyze, buffers, format json) ${statement.sql}`;
    const [row] = (await runner.query(sql, [...statement.params])) as { 'QUERY PLAN': [{ Plan: PlanNode }] }[];
    const scans = nodes(row['QUERY PLAN'][0].Plan).filter((node) => node['Index Name'] === 'event_delivery_claim');
    expect(scans).not.toEqual([]);
    return scans.reduce((sum, node) => sum + node['Shared Hit Blocks'] + node['Shared Read Blocks'], 0);
  } finally {
    await runner.rollbackTransaction();
    await runner.release();
    await source.destroy();
  }
}

function nodes(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodes)];
}

afterEach(() => harness.dispose());

describe.each(sharedDatabases)('a claim on %s', (_, make) => {
  beforeEach(async () => {
    harness = await typeormHarness(make());
  });

  it('leaves the deliveries of paused handlers, and takes them when the handler is resumed', async () => {
    const { store, hand } = harness;
    const node = await join(store, ['mail', 'ledger']);
    await append(store, [event('e1', ['mail']), event('e2', ['ledger'])]);
    await hand(`update {handler} set paused = true where name = 'mail'`);
    expect(eventIds(await claim(store, node, 10, ['mail', 'ledger']))).toEqual(['e2']);
    await hand(`update {handler} set paused = false where name = 'mail'`);
    expect(eventIds(await claim(store, node, 10, ['mail', 'ledger']))).toEqual(['e1']);
  });

  it("counts the suspect among its handler's limit, and takes the most urgent of both kinds", async () => {
    const { store } = harness;
    const node = await join(store);
    const victim = await join(store, ['mail'], 'victim');
    await append(store, [event('suspect', [at(50)])]);
    await claimOne(store, victim);
    await store.removeNode(victim, T0);
    await append(store, [event('later', [at(60)]), event('sooner', [at(40)])]);
    const one = () => store.claim({ node, wants: [{ handler: 'mail', limit: 1 }], limit: 10, suspect: true });
    const order = [await one(), await one(), await one(), await one()];
    expect(order.map((claimed) => claimed && eventIds(claimed))).toEqual([['sooner'], ['suspect'], ['later'], []]);
  });

  it('leaves a large payload out, also of an event that another program has written', async () => {
    const { store, hand } = harness;
    const node = await join(store);
    const [large, small] = [JSON.stringify('x'.repeat(65_535)), JSON.stringify('x'.repeat(65_534))];
    const ofBytes = [JSON.stringify('ü'.repeat(32_768)), JSON.stringify('ü'.repeat(32_767))];
    await append(
      store,
      [large, small, ...ofBytes].map((payload, index) => event(`e${index}`, ['mail'], { payload })),
    );
    await hand(`update {inbox} set bytes = null`);
    const claimed = await claim(store, node);
    expect(claimed.map((one) => one.event.payload)).toEqual([null, small, null, ofBytes[1]]);
    expect(await store.payload(claimed[0].event.seq)).toBe(large);
  });
});

describe.skipIf(!hasPostgres)('a claim on PostgreSQL', () => {
  it('that begins behind 50,000 rows which are gone, but which an idle transaction still sees, reads none of them', async () => {
    const database = postgresSchema();
    harness = await typeormHarness(database);
    const { store, hand } = harness;
    const node = await join(store);
    await hand(`insert into {inbox} (seq, id, type, payload, bytes, fanned_out_at)
      select n, 'e' || n, 'a.b', '{}', 2, 1 from generate_series(1, 51000) n`);
    await hand(`insert into {delivery} (id, event_seq, handler, priority)
      select n, n, 'mail', 50 from generate_series(1, 51000) n`);
    const source = await new DataSource(database.connection).initialize();
    const idle = source.createQueryRunner();
    try {
      await idle.startTransaction('REPEATABLE READ');
      await idle.query('select 1');
      await hand('delete from {delivery} where id <= 50000');
      const wants = [{ handler: 'mail', limit: 100 }];
      const marked = [{ ...wants[0], after: { priority: 50, id: 50_000 } }];
      const read = (asked: typeof wants) => blocksRead(database, { node, wants: asked, limit: 100, suspect: true });
      const [walked, spared] = [await read(wants), await read(marked)];
      // All the pages that those rows are on are read, to find that they are gone.
      expect(walked).toBeGreaterThan(400);
      expect(spared).toBeLessThan(40);
      const claimed = await store.claim({ node, wants: marked, limit: 100, suspect: true });
      expect(claimed?.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, index) => 50_001 + index));
    } finally {
      await idle.rollbackTransaction();
      await idle.release();
      await source.destroy();
    }
  });

  it('waits for whoever is declaring its node dead, and then leases nothing', async () => {
    const database = postgresSchema();
    harness = await typeormHarness(database);
    const { store } = harness;
    const node = await join(store);
    await append(store, [event('e1', ['mail'])]);
    const source = await new DataSource(database.connection).initialize();
    const runner = source.createQueryRunner();
    await runner.startTransaction();
    await runner.query(`delete from "${database.schema}".event_node where id = ${node}`);
    const wants = [{ handler: 'mail', limit: 1 }];
    const claiming = await startMeanwhile(() => store.claim({ node, wants, limit: 1, suspect: false }));
    await runner.commitTransaction();
    await runner.release();
    await source.destroy();
    expect(await claiming.done).toBeNull();
    expect(await harness.hand('select id from {delivery} where lease_node is not null')).toEqual([]);
  });
});
