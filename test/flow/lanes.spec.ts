/** Scope: ordered handlers, on a clock that stands still: a lane runs one at a time, in publish order, whatever happens. */
import { EventHandlerRegistry, EventInbox, EventPublisher, EventsNode } from 'nestjs-durable-events';
import { afterEach, describe, expect, it } from 'vitest';
import { closeManualApps, manualApp, type ManualAppOptions } from '../support/manual-app.js';
import { ManualCluster } from '../support/manual-cluster.js';
import { gates, orderedHandler, publishSteps, type Work } from '../support/ordered-handler.js';

const start = (providers: Parameters<typeof manualApp>[0], options?: ManualAppOptions) => manualApp(providers, options);

afterEach(closeManualApps);

describe('a lane', () => {
  it('runs one at a time in publish order, lanes side by side, what has no key beside them', async () => {
    const { wait, release } = gates();
    const { Ordered, told, most } = orderedHandler(wait);
    const manual = await start([Ordered]);
    await publishSteps(manual, [
      ['a', 1],
      ['a', 2],
      ['b', 3],
      [undefined, 4],
      ['a', 5],
      [undefined, 6],
    ]);
    await manual.clock.advance(0);
    expect(told.toSorted()).toEqual(['a1', 'b3', 'none-44', 'none-66']);
    release(1);
    await manual.clock.advance(0);
    expect(told.slice(4)).toEqual(['a2']);
    release(2);
    await manual.clock.advance(0);
    expect([told.slice(5), most.of]).toEqual([['a5'], 4]);
  });

  it('goes on at once when it was published to, run after run, without a poll', async () => {
    const { Ordered, told } = orderedHandler();
    const manual = await start([Ordered], { batchSize: 3 });
    await publishSteps(
      manual,
      Array.from({ length: 40 }, (_, n) => ['a', n] as const),
    );
    // Time stands still, so no poll can help.
    for (let turns = 0; turns < 100 && told.length < 40; turns++) await manual.clock.advance(0);
    expect(told).toEqual(Array.from({ length: 40 }, (_, n) => `a${n}`));
  });

  it('waits for a retry exactly its backoff, and the rest of the run is not charged; other lanes go on', async () => {
    let fails = true;
    const attempts: number[] = [];
    const work: Work = (n, context) => {
      if (n === 2) attempts.push(context.attempt);
      if (n !== 1 || !fails) return;
      fails = false;
      throw new Error('no');
    };
    const { Ordered, told } = orderedHandler(work);
    const manual = await start([Ordered]);
    await publishSteps(manual, [
      ['a', 1],
      ['a', 2],
      ['b', 3],
    ]);
    await manual.clock.advance(999);
    await publishSteps(manual, [['b', 4]]);
    await manual.clock.advance(0);
    expect(told).toEqual(['a1', 'b3', 'b4']);
    await manual.clock.advance(1);
    expect([told.slice(3), attempts]).toEqual([['a1', 'a2'], [1]]);
  });

  it.each(['snooze', 'timeout'])('waits for one that ended by %s', async (how) => {
    let first = true;
    const work: Work = (n, context) => {
      if (n !== 1 || !first) return undefined;
      first = false;
      return how === 'snooze' ? context.snooze(1_000) : new Promise(() => undefined);
    };
    const { Ordered, told, running } = orderedHandler(work, { timeout: 500 });
    const manual = await start([Ordered]);
    await publishSteps(manual, [
      ['a', 1],
      ['a', 2],
    ]);
    await manual.clock.advance(999);
    expect(told).toEqual(['a1']);
    // The run that ignores its timeout goes on for ever; the lane does not wait for it beyond the retry.
    running.clear();
    await manual.clock.advance(501);
    expect(told).toEqual(['a1', 'a1', 'a2']);
  });

  it('waits behind a delayed event', async () => {
    const { Ordered, told } = orderedHandler();
    const manual = await start([Ordered]);
    await publishSteps(manual, [
      ['a', 1, 5_000],
      ['a', 2],
      ['b', 3],
    ]);
    await manual.clock.advance(4_999);
    expect(told).toEqual(['b3']);
    await manual.clock.advance(1);
    expect(told).toEqual(['b3', 'a1', 'a2']);
  });

  it('goes on when what it waits for is cancelled', async () => {
    const { Ordered, told } = orderedHandler();
    const manual = await start([Ordered]);
    await manual.app.get(EventPublisher).publish('step', { n: 1 }, { id: 'one', orderingKey: 'a', delay: '1h' });
    await publishSteps(manual, [['a', 2]]);
    await manual.clock.advance(10);
    const [delivery] = await manual.app.get(EventInbox).deliveries('one');
    await manual.app.get(EventInbox).cancel(delivery.id);
    await manual.clock.advance(0);
    expect(told).toEqual(['a2']);
  });

  it('is given back by a pause in the middle of a run, and goes on after it', async () => {
    const { wait, release } = gates();
    const { Ordered, told } = orderedHandler(wait);
    const manual = await start([Ordered]);
    await publishSteps(manual, [
      ['a', 1],
      ['a', 2],
    ]);
    await manual.clock.advance(0);
    await manual.app.get(EventsNode).pause();
    release(1);
    await manual.clock.advance(5_000);
    expect(told).toEqual(['a1']);
    await manual.app.get(EventsNode).resume();
    await manual.clock.advance(0);
    expect(told).toEqual(['a1', 'a2']);
  });

  it('goes on after a pause of its handler on all nodes', async () => {
    const { wait, release } = gates();
    const { Ordered, told } = orderedHandler(wait);
    const manual = await start([Ordered]);
    await publishSteps(manual, [
      ['a', 1],
      ['a', 2],
    ]);
    await manual.clock.advance(0);
    const registry = manual.app.get(EventHandlerRegistry);
    await registry.pause('ordered');
    release(1);
    await manual.clock.advance(5_000);
    expect(told).toEqual(['a1']);
    await registry.resume('ordered');
    await manual.clock.advance(1_000);
    expect(told).toEqual(['a1', 'a2']);
  });

  it('goes on, in its order, on another node when the one that runs it dies', async () => {
    const cluster = new ManualCluster();
    const hanging = orderedHandler(() => new Promise(() => undefined));
    const one = await cluster.start([hanging.Ordered]);
    await publishSteps(one, [
      ['a', 1],
      ['a', 2],
      ['a', 3],
    ]);
    await cluster.clock.advance(0);
    const attempts: number[] = [];
    const { Ordered, told } = orderedHandler((_, context) => attempts.push(context.attempt));
    await cluster.start([Ordered]);
    await cluster.clock.advance(2_000);
    expect([hanging.told, told]).toEqual([['a1'], []]);
    cluster.kill(one);
    await cluster.rescue(one);
    await cluster.clock.advance(2_000);
    expect([told, attempts]).toEqual([
      ['a1', 'a2', 'a3'],
      [2, 1, 1],
    ]);
  });

  it('spends its tokens one at a time under a rate limit', async () => {
    const { Ordered, told } = orderedHandler(undefined, { rateLimit: { limit: 1, period: 1_000 } });
    const manual = await start([Ordered]);
    await publishSteps(manual, [
      ['a', 1],
      ['a', 2],
      ['a', 3],
    ]);
    await manual.clock.advance(0);
    expect(told).toEqual(['a1']);
    await manual.clock.advance(1_000);
    expect(told).toEqual(['a1', 'a2']);
    await manual.clock.advance(1_000);
    expect(told).toEqual(['a1', 'a2', 'a3']);
  });
});
