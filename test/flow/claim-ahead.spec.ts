/** Scope: while a batch runs, the next one is on its way; time stands still. */
import { EventsNode } from 'nestjs-durable-events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { until } from '../../libs/events/src/testing/store-contract/scene.js';
import { publish, Quick, range, storeOf } from '../support/dispatch-scene.js';
import { closeManualApps, manualApp } from '../support/manual-app.js';

afterEach(closeManualApps);
afterEach(() => void vi.restoreAllMocks());

describe('a node with a backlog', () => {
  it('asks for the next batch before it runs the one that has come, and runs each delivery once', async () => {
    const batchSize = 10;
    const setting = await manualApp([Quick], { batchSize, concurrency: batchSize });
    const { app, clock } = setting;
    await app.get(EventsNode).pause();
    const ids = range('e', 10 * batchSize);
    await publish(setting, 'quick.work', ids);
    const { seen } = app.get(Quick);
    const store = storeOf(setting);
    const claim = store.claim.bind(store);
    const runsBefore: number[] = [];
    vi.spyOn(store, 'claim').mockImplementation(async (request) => {
      runsBefore.push(seen.length);
      // A database takes its time.
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      return claim(request);
    });
    await app.get(EventsNode).resume();
    await until('all have run', () => seen.length === ids.length);
    await clock.advance(0);
    // How quick the handler is, the node knows after the first batch.
    const inHand = runsBefore.slice(0, 10).map((runs, claims) => claims - runs / batchSize);
    expect(inHand).toEqual([0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
    expect(seen).toEqual(ids);
  });
});
