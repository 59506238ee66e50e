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
import { hasPostgres, postgresSchema, sharedDatabases } from '../support/databases.js';
import { type TypeOrmHarness, typeormHarness } from '../support/typeorm-harness.js';

let harness: TypeOrmHarness;
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
