import { expect } from 'vitest';
import type { SturdyNode } from './sturdy-node.js';
import { events, type SturdyScene } from './sturdy-scene.js';

/** An event whose handler is under way when the outage begins. */
export const LONG = 1_000;

/** A lease of 6 s: a node that cannot beat stops its own work after 4 s. */
export const OPTIONS = {
  events: { lease: '6s', shutdownTimeout: '3s', pollInterval: '200ms' },
  handler: { concurrency: 20, timeout: '5m', circuit: false, retry: { initialDelay: 20 } },
} as const;

/** 50 events are done and one is under way. */
export async function workBefore(scene: SturdyScene, node: SturdyNode): Promise<void> {
  const mix = [...events(0, 50, 'effect'), ...events(LONG, LONG + 1, 'wait')];
  expect(await node.call('publish', mix)).toMatchObject({ result: 'stored' });
  await scene.runs.until('begins', LONG);
  await scene.work.until('event_delivery', (count) => count === 1);
  await node.healthy();
}

/** The node goes on by itself: nobody is charged for the outage, and nothing came of the publishes that failed. */
export async function expectGoneOn(scene: SturdyScene, node: SturdyNode): Promise<void> {
  await scene.drained();
  expect(await node.call('publish', events(200, 250, 'effect'))).toMatchObject({ result: 'stored' });
  await scene.drained();
  expect(await scene.effects()).toBe(100);
  expect(scene.runs.lines('ends', LONG)).toHaveLength(1);
  expect(scene.runs.overlapping()).toEqual([]);
  expect(await scene.work.count('event_completion')).toBe(101);
  expect(await scene.work.count('event_completion where attempts > 1')).toBe(0);
  expect(await scene.work.count('event_dead_letter')).toBe(0);
  await node.healthy();
}
