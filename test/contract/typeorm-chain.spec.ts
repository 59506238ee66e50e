/**
 * Scope: what nodes share for the invoker chain, beyond the contract: values as the databases keep them, and contention
 * on PostgreSQL, where callers meet at the same rows: who waits for whom, and sees what.
 */
import { DataSource, type QueryRunner } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeyClaim, TokenTake } from '../../libs/events/src/store/chain.store.js';
import {
  append,
  claim,
  COMPLETED,
  DEAD,
  event,
  handler,
  HOUR,
  join,
  leased,
  names,
  only,
  settle,
  settlement,
  startMeanwhile,
  T0,
} from '../../libs/events/src/testing/store-contract/scene.js';
import { TokenBuckets } from '../../libs/events/src/policies/token-buckets.js';
import type { TypeOrmStore } from '../../libs/events/src/typeorm/typeorm.store.js';
import { hasPostgres, postgresSchema, sharedDatabases, type TestDatabase } from '../support/databases.js';
import { type TypeOrmHarness, typeormHarness } from '../support/typeorm-harness.js';

const ROUNDS = 5;
const KEYS = names('k', 400);

let database: TestDatabase;
let harness: TypeOrmHarness;
let application: DataSource;

/** Two stores, and how often they had to begin a verb again, having lost a deadlock. */
async function twoStores() {
  const deadlocks = { count: 0 };
  const random = () => {
    deadlocks.count++;
    return 0;
  };
  return { one: await harness.another({ random }), two: await harness.another({ random }), deadlocks };
}

/** Does `change` in a transaction that stays open until `work` has had every chance to go wrong; answers what that does. */
async function during<T>(change: string, work: () => Promise<T>): Promise<T> {
  const runner = application.createQueryRunner();
  await runner.startTransaction();
  await byHand(runner, change);
  const meanwhile = await startMeanwhile(work);
  await runner.commitTransaction();
  await runner.release();
  return meanwhile.done;
}

async function byHand(runner: QueryRunner, sql: string): Promise<void> {
  for (const statement of sql.split(';')) {
    await runner.query(statement.replaceAll(/\{(\w+)\}/g, `"${database.schema}".event_$1`));
  }
}

async function halfOpen(store: TypeOrmStore): Promise<number> {
  await store.changeCircuit('mail', 0, 'open', T0);
  const change = await store.changeCircuit('mail', 1, 'half-open', T0);
  return change?.circuit.epoch ?? 0;
}

describe.each(sharedDatabases)('on %s', (_, make) => {
  it('a bucket keeps every fraction of a millisecond and of a token', async () => {
    harness = await typeormHarness(make());
    const limit = { burst: 4, intervalMs: 997 / 7 };
    const model = new TokenBuckets();
    for (const after of [0, 1, 2, 50, 300, 301, 302, 303, 500, 1_000, 1_143, 1_143, 5_000]) {
      const [answer] = await harness.store.takeTokens([{ handler: 'mail', key: 'k', ...limit }], T0 + after);
      expect(answer).toEqual(model.take('k', limit, T0 + after));
    }
    await harness.dispose();
  });
});

describe.skipIf(!hasPostgres)('on PostgreSQL', () => {
  beforeEach(async () => {
    database = postgresSchema();
    harness = await typeormHarness(database);
    application = await new DataSource(database.connection).initialize();
  });
  afterEach(async () => {
    await application.destroy();
    await harness.dispose();
  });

  it('batches of tokens in opposite order take turns without a deadlock, and never get more than the buckets hold', async () => {
    const { one, two, deadlocks } = await twoStores();
    const takes = KEYS.map((key): TokenTake => ({ handler: 'mail', key, burst: 7, intervalMs: 1_000 }));
    const rounds = Array.from({ length: ROUNDS }, () => [
      one.takeTokens(takes, T0),
      two.takeTokens(takes.toReversed(), T0).then((answers) => answers.toReversed()),
    ]);
    const answers = await Promise.all(rounds.flat());
    const slots = KEYS.map((_, index) =>
      answers.map((answer) => answer[index].slotAt).toSorted((a, b) => (a ?? Infinity) - (b ?? Infinity)),
    );
    const free = Array.from({ length: 7 }, () => null);
    expect(slots).toEqual(KEYS.map(() => [T0 + 1_000, T0 + 2_000, T0 + 3_000, ...free]));
    expect(deadlocks.count).toBe(0);
  });

  it('batches of keys in opposite order take turns without a deadlock, and each key goes to one', async () => {
    const { one, two, deadlocks } = await twoStores();
    const claims = (owner: number) =>
      KEYS.map((key): KeyClaim => ({ handler: 'mail', key, owner, expiresAt: T0 + HOUR }));
    const rounds = Array.from({ length: ROUNDS }, (_, round) => [
      one.claimKeys(claims(2 * round), T0),
      two.claimKeys(claims(2 * round + 1).toReversed(), T0).then((answers) => answers.toReversed()),
    ]);
    const answers = await Promise.all(rounds.flat());
    const winners = KEYS.map((_, index) => answers.filter((answer) => answer[index].state === 'claimed').length);
    expect(winners).toEqual(KEYS.map(() => 1));
    expect(deadlocks.count).toBe(0);
  });

  it('a batch that settles keys and one that claims them, in opposite order, take turns without a deadlock', async () => {
    const { one, two, deadlocks } = await twoStores();
    const node = await join(one);
    await append(
      one,
      KEYS.map((key) => event(key, ['mail'])),
    );
    for (let round = 1; round <= ROUNDS; round++) {
      const now = T0 + round;
      const deliveries = await claim(one, node, KEYS.length);
      const own = deliveries.map(({ id, event: { id: key } }) => ({ handler: 'mail', key, owner: id, expiresAt: now }));
      await one.claimKeys(own, now - 1);
      const settlements = deliveries.map((delivery) => ({
        ...settlement(delivery, { outcome: 'released' }),
        key: { key: delivery.event.id, expiresAt: now },
      }));
      const others = own.map((asked) => ({ ...asked, owner: -asked.owner }));
      const claimOthers = () => [two.claimKeys(others, now - 1), two.claimKeys(others.toReversed(), now - 1)];
      const [written] = await Promise.all([one.settle(node, settlements, now), ...claimOthers()]);
      expect(written).toEqual(deliveries.map(() => true));
    }
    expect(deadlocks.count).toBe(0);
  });

  it('whoever asks for trials waits for the one who has the handler, and sees what he leased', async () => {
    const { store } = harness;
    const node = await join(store);
    await append(store, [event('e1', ['mail']), event('e2', ['mail'])]);
    const epoch = await halfOpen(store);
    const leasing = `update {handler} set trials = '[1]' where name = 'mail';
      update {delivery} set lease_node = ${node}, claims = 1 where id = 1`;
    const trials = await during(leasing, () =>
      store.claimTrials({ node, handler: 'mail', epoch, most: 1, suspect: true }),
    );
    expect(trials).toEqual([]);
  });

  it('of eight that ask for trials at once, from two stores, none gets more than are left', async () => {
    const { one, two } = await twoStores();
    const node = await join(one);
    await append(
      one,
      names('e', 40).map((id) => event(id, ['mail'])),
    );
    const epoch = await halfOpen(one);
    for (let round = 0; round < ROUNDS; round++) {
      const asked = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          (index % 2 === 0 ? one : two).claimTrials({ node, handler: 'mail', epoch, most: 3, suspect: true }),
        ),
      );
      const trials = asked.flatMap((claimed) => claimed ?? []);
      expect(trials.length).toBe(3);
      for (const trial of trials) expect(await settle(one, node, trial, COMPLETED)).toBe(true);
    }
  });

  it('trials are not leased to a node that is being declared dead', async () => {
    const { store } = harness;
    const node = await join(store);
    await append(store, [event('e1', ['mail'])]);
    const epoch = await halfOpen(store);
    const trials = await during(`delete from {node} where id = ${node}`, () =>
      store.claimTrials({ node, handler: 'mail', epoch, most: 1, suspect: true }),
    );
    expect(trials).toBeNull();
    expect((await only(store, 'e1')).state).toBe('pending');
  });

  it('keys and buckets that get a new life while prune waits for them stay', async () => {
    const { store } = harness;
    await store.claimKeys([{ handler: 'mail', key: 'k', owner: 1, expiresAt: T0 }], T0 - 1);
    await store.takeTokens([{ handler: 'mail', key: 'k', burst: 1, intervalMs: 1 }], T0);
    const now = T0 + HOUR;
    const renewing = `update {idempotency} set expires_at = ${now + HOUR}; update {rate_limit} set full_at = ${now + HOUR}`;
    const request = { completedBefore: 0, deadBefore: 0, now, limit: 10 };
    expect(await during(renewing, () => store.prune(request))).toBe(0);
    expect(await store.prune({ ...request, now: now + 2 * HOUR })).toBe(2);
  });

  it('a handler that is announced while others would retire it is not retired', async () => {
    const { store } = harness;
    const node = await join(store);
    await store.removeNode(node, T0);
    const announcing = `update {registry} set version = version + 1; update {handler} set last_seen = ${T0 + HOUR}`;
    expect(await during(announcing, () => store.retireAbsent(T0 + 1, T0 + HOUR))).toEqual([]);
    expect(await store.retireAbsent(T0 + HOUR + 1, T0 + HOUR)).toEqual(['mail']);
  });

  it('what waits for a handler that is announced again meanwhile does not expire', async () => {
    const { store } = harness;
    await join(store);
    await append(store, [event('e1', ['mail'])]);
    await store.retire('mail', T0);
    expect(await during(`update {handler} set retired_at = null`, () => store.expireRetired(T0, 10))).toBe(0);
    expect((await only(store, 'e1')).state).toBe('pending');
  });

  it("a death in the application's transaction is told of as ever, however its process parses what it reads", async () => {
    const { store } = harness;
    const told = async (
      id: string,
      bury: (node: number, delivery: Awaited<ReturnType<typeof leased>>['delivery']) => Promise<boolean>,
    ) => {
      const { node, delivery } = await leased(store, id);
      await store.registerHandlers(node, [handler('mail'), handler('alarm', { patterns: ['events.**'] })], T0);
      expect(await bury(node, delivery)).toBe(true);
      const notice = await store.findEvent(`events.dead-letter:${delivery.id}:${delivery.claims}`);
      return { ...notice, seq: 0 };
    };
    const here = await told('e1', (node, delivery) => settle(store, node, delivery, DEAD));
    const there = await told('e2', (node, delivery) =>
      application.transaction((manager) => store.settleIn(manager, node, settlement(delivery, DEAD), T0)),
    );
    const asOfFirst = there.payload
      ?.replaceAll('e2', 'e1')
      .replace('"id":2,', '"id":1,')
      .replace('"seq":3,', '"seq":1,');
    const headers = there.headers?.replaceAll('e2', 'e1');
    expect({ ...there, id: here.id, headers, payload: asOfFirst }).toEqual(here);
  });
});
