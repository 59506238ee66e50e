/** Scope: the in-memory store keeps the contract of every store, and what only it promises. */
import type { EntityManager } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { DeadlockError } from '../../libs/events/src/errors/deadlock.error.js';
import { ForeignManagerError } from '../../libs/events/src/errors/foreign-manager.error.js';
import { NoDatabaseError } from '../../libs/events/src/errors/no-database.error.js';
import { NoTransactionError } from '../../libs/events/src/errors/no-transaction.error.js';
import { MemoryDatabase } from '../../libs/events/src/store/memory/memory-database.js';
import { MemoryStore } from '../../libs/events/src/store/memory/memory-store.js';
import { ManualClock } from '../../libs/events/src/testing/manual-clock.js';
import { storeContract } from '../../libs/events/src/testing/store-contract.js';
import { runContractCase } from '../../libs/events/src/testing/store-contract/contract-case.js';
import {
  append,
  at,
  claim,
  COMPLETED,
  event,
  join,
  openTransaction,
  settlement,
  startMeanwhile,
  states,
  T0,
} from '../../libs/events/src/testing/store-contract/scene.js';
import { memoryHarness } from '../support/memory-harness.js';

describe('the contract', () => {
  it.each(storeContract.map((one) => [one.name, one] as const))('%s', async (_name, contractCase) => {
    await expect(runContractCase(contractCase, memoryHarness)).resolves.toBeUndefined();
  });

  it('names every case once', () => {
    const names = storeContract.map((contractCase) => contractCase.name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('the in-memory store', () => {
  it('tells the time of its clock', async () => {
    const clock = new ManualClock(T0);
    const store = new MemoryStore(clock);
    await clock.advance(250);
    expect([store.description, await store.ping()]).toEqual(['memory (nothing is durable)', T0 + 250]);
  });

  it('shares nothing with a store on other data', async () => {
    const [store, stranger] = [new MemoryStore(new ManualClock()), new MemoryStore(new ManualClock())];
    await join(store);
    await append(store, [event('e1', ['mail'])]);
    expect([await stranger.findEvent('e1'), await stranger.nodes()]).toEqual([null, []]);
  });

  it('tells the other stores on its data, not itself, and not the closed ones', async () => {
    const database = new MemoryDatabase();
    const [a, b, c] = [1, 2, 3].map(() => new MemoryStore(new ManualClock(), database)) as [
      MemoryStore,
      MemoryStore,
      MemoryStore,
    ];
    const heard: string[] = [];
    a.listen((topic) => heard.push(`a ${topic}`));
    b.listen((topic) => heard.push(`b ${topic}`));
    c.listen((topic) => heard.push(`c ${topic}`));
    await c.close();
    await a.notify('handlers');
    expect(heard).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual(['b handlers']);
  });

  it('forgets expired keys and full buckets although nobody prunes', async () => {
    const database = new MemoryDatabase();
    const store = new MemoryStore(new ManualClock(), database);
    for (let step = 0; step < 3_000; step++) {
      const name = { handler: 'mail', key: `${step}` };
      await store.claimKeys([{ ...name, owner: 1, expiresAt: T0 + step + 50 }], T0 + step);
      await store.takeTokens([{ ...name, burst: 5, intervalMs: 50 }], T0 + step);
    }
    expect(database.keys.size).toBeLessThan(1_002);
    expect(database.buckets.size).toBeLessThan(1_002);
  });

  it('refuses a manager that is used as if there were a database', async () => {
    const store = new MemoryStore(new ManualClock());
    await store.transaction(async (manager) => {
      expect(() => manager.save({})).toThrow(NoDatabaseError);
      expect(() => manager.queryRunner).toThrow(
        'the in-memory store has no database: its transaction\'s manager can only be passed on to publish, but "queryRunner" was used',
      );
      expect(await Promise.resolve(manager)).toBe(manager);
    });
  });

  it('refuses managers of other data, of other databases, and of transactions that have ended', async () => {
    const [store, stranger] = [new MemoryStore(new ManualClock()), new MemoryStore(new ManualClock())];
    let ended: EntityManager | undefined;
    await store.transaction(async (manager) => {
      ended = manager;
      expect(() => stranger.checkManager(manager)).toThrow(ForeignManagerError);
    });
    const refused = ended as EntityManager;
    const request = { events: [event('e1')], registryVersion: 0, now: T0 };
    expect(() => store.checkManager(refused)).toThrow(NoTransactionError);
    expect(() => store.afterCommit(refused, () => {})).toThrow(NoTransactionError);
    expect(() => store.checkManager({} as EntityManager)).toThrow(ForeignManagerError);
    await expect(store.append(request, refused)).rejects.toThrow(NoTransactionError);
    await expect(stranger.append(request, refused)).rejects.toThrow(ForeignManagerError);
    expect(await store.findEvent('e1')).toBe(null);
  });

  it('ends a deadlock of two transactions with an error for one of them', async () => {
    const store = new MemoryStore(new ManualClock());
    const of = (id: string) => ({ events: [event(id)], registryVersion: 0, now: T0 });
    const a = await openTransaction(store, async (manager) => {
      await store.append(of('e1'), manager);
      return manager;
    });
    const b = await openTransaction(store, async (manager) => {
      await store.append(of('e2'), manager);
      return manager;
    });
    const waiting = await startMeanwhile(() => store.append(of('e2'), a.result));
    await expect(store.append(of('e1'), b.result)).rejects.toThrow(DeadlockError);
    await b.rollBack();
    expect((await waiting.done).stored).toEqual([true]);
    await a.commit();
    expect([(await store.findEvent('e1'))?.id, (await store.findEvent('e2'))?.id]).toEqual(['e1', 'e2']);
  });

  it('refuses what comes out of its wait when its transaction has ended', async () => {
    const store = new MemoryStore(new ManualClock());
    const request = { events: [event('e1')], registryVersion: 0, now: T0 };
    const holder = await openTransaction(store, (manager) => store.append(request, manager));
    const hasty = await openTransaction(store, (manager) => Promise.resolve(manager));
    const waiting = await startMeanwhile(() => store.append(request, hasty.result));
    await hasty.commit();
    await holder.rollBack();
    await expect(waiting.done).rejects.toThrow(NoTransactionError);
    expect((await store.append(request)).stored).toEqual([true]);
  });

  it('stores raw what a commit brings after the registry has moved on', async () => {
    const store = new MemoryStore(new ManualClock());
    await join(store);
    const { version } = await store.loadRegistry();
    const open = await openTransaction(store, (manager) =>
      store.append({ events: [event('e1', ['mail'])], registryVersion: version, now: T0 }, manager),
    );
    await join(store, ['ledger'], 'node-b');
    await open.commit();
    expect(await states(store, 'e1')).toEqual([]);
    const current = await store.loadRegistry();
    const match = () => [at(50, 'mail'), at(50, 'ledger')];
    await store.fanOut({ limit: 10, registryVersion: current.version, now: T0, match });
    expect(await states(store, 'e1')).toEqual(['mail pending', 'ledger pending']);
  });

  it('hands out copies: what a caller changes does not reach the store', async () => {
    const store = new MemoryStore(new ManualClock());
    const node = await join(store);
    const published = event('e1', ['mail']);
    await append(store, [published]);
    (published as { payload: string }).payload = 'changed';
    const [claimed] = await claim(store, node);
    Object.assign(claimed?.event ?? {}, { payload: 'changed', type: 'changed' });
    expect(await store.findEvent('e1')).toMatchObject({ payload: '{"of":"e1"}', type: 'order.placed' });
  });

  it('stages in order of due times, however many are cancelled before', async () => {
    const store = new MemoryStore(new ManualClock());
    const node = await join(store);
    const due = Array.from({ length: 500 }, (_, index) => T0 + 1 + ((index * 7_919) % 500));
    const kept: number[] = [];
    for (const [index, availableAt] of due.entries()) {
      await append(store, [event(`${availableAt}`, ['mail'], { availableAt })]);
      const [delivery] = await store.findDeliveries(`${due[index >> 1]}`);
      if (index % 3 === 0 && delivery) await store.cancel(delivery.id, T0);
    }
    for (const availableAt of due) {
      const [delivery] = await store.findDeliveries(`${availableAt}`);
      if (delivery?.state === 'scheduled') kept.push(availableAt);
    }
    const staged: number[] = [];
    while ((await store.stage(T0 + 1_000, 1)).staged === 1) {
      staged.push(...(await claim(store, node)).map((one) => Number(one.event.id)));
    }
    expect(staged).toEqual(kept.toSorted((a, b) => a - b));
  });

  it('drains 200,000 deliveries of mixed priorities and delays', async () => {
    const store = new MemoryStore(new ManualClock());
    const handlers = ['a', 'b', 'c', 'd'];
    const node = await join(store, handlers);
    const { version } = await store.loadRegistry();
    for (let batch = 0; batch < 50; batch++) {
      const events = Array.from({ length: 1_000 }, (_, index) =>
        event(
          `${batch}/${index}`,
          handlers.map((handler) => at((index * 7) % 101, handler)),
          { availableAt: index % 2 === 0 ? T0 + ((index * 13) % 1_000) + 1 : null },
        ),
      );
      await store.append({ events, registryVersion: version, now: T0 });
    }
    let settled = 0;
    for (;;) {
      const { staged } = await store.stage(T0 + 2_000, 500);
      const claimed = await claim(store, node, 500, handlers);
      if (staged === 0 && claimed.length === 0) break;
      const settlements = claimed.map((one) => settlement(one, COMPLETED));
      settled += (await store.settle(node, settlements, T0)).filter(Boolean).length;
    }
    expect(settled).toBe(200_000);
  });
});
