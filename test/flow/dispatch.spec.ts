/** A node that pauses, leaves, loses its beat or is declared dead, and what becomes of its deliveries; time stands still. */
import { Injectable } from '@nestjs/common';
import { DeliveryContext, EventMessage, EventsNode, EventsStats, OnEvent } from 'nestjs-durable-events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  breakVerb,
  claimApart,
  Gate,
  hangingAppend,
  hangingClaim,
  publish,
  Quick,
  states,
  storeOf,
} from '../support/dispatch-scene.js';
import { closeManualApps, manualApp } from '../support/manual-app.js';

afterEach(closeManualApps);
afterEach(() => void vi.restoreAllMocks());

describe('a shutdown', () => {
  it('waits for what runs and gives back what has not begun', async () => {
    const setting = await manualApp([Gate]);
    const { app, clock } = setting;
    await publish(setting, 'gate.work', ['a', 'b', 'c']);
    const { runs } = app.get(Gate);
    expect(runs.map(({ id }) => id)).toEqual(['a', 'b']);
    const node = app.get(EventsNode);
    let closed = false;
    const draining = node.drain().then(() => (closed = true));
    await clock.advance(10_000);
    expect([closed, node.status]).toEqual([false, 'draining']);
    for (const { end } of runs) end();
    await clock.advance(0);
    await draining;
    expect(node.status).toBe('stopped');
    expect(await states(setting, ['a', 'b', 'c'])).toEqual(['completed 1', 'completed 1', 'pending 0']);
    expect(await storeOf(setting).nodes()).toEqual([]);
    expect(clock.nextTimerInMs, 'a timer is left').toBeUndefined();
  });

  it('gives back what a publish on its way has claimed, and ends after that', async () => {
    const setting = await manualApp([Quick]);
    const { app, clock } = setting;
    await publish(setting, 'quick.work', ['first']);
    const { append, letGo } = hangingAppend(setting);
    const publishing = publish(setting, 'quick.work', ['a']);
    await clock.advance(0);
    expect(append.mock.calls.map(([{ claim }]) => claim?.wants.length)).toEqual([1]);
    const node = app.get(EventsNode);
    const draining = node.drain();
    await clock.advance(0);
    expect(node.status).toBe('draining');
    letGo();
    await publishing;
    await draining;
    expect([app.get(Quick).seen, await states(setting, ['a'])]).toEqual([['first'], ['pending 0']]);
    expect(clock.nextTimerInMs, 'a timer is left').toBeUndefined();
  });

  it('aborts what runs longer than shutdownTimeout, and charges nobody for it', async () => {
    const setting = await manualApp([Gate], { shutdownTimeout: '10s' });
    const { app, clock } = setting;
    await publish(setting, 'gate.work', ['a']);
    const draining = app.get(EventsNode).drain();
    await clock.advance(9_999);
    const [run] = app.get(Gate).runs;
    expect(run.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(run.signal.reason).toMatchObject({ code: 'EVENTS_ATTEMPT_ABORTED', reason: 'shutdown' });
    await draining;
    expect(await states(setting, ['a'])).toEqual(['pending 0']);
  });

  it('gives back what a claim under way brings', async () => {
    const setting = await manualApp([Quick]);
    const { app, clock } = setting;
    const { claim, letGo } = hangingClaim(setting);
    await publish(setting, 'quick.work', ['a']);
    expect(claim).toHaveBeenCalledTimes(1);
    const draining = app.get(EventsNode).drain();
    await clock.advance(0);
    letGo();
    await clock.advance(0);
    await draining;
    expect(app.get(Quick).seen).toEqual([]);
    expect(await states(setting, ['a'])).toEqual(['pending 0']);
  });

  it('ends, after a lease at most, when the database is away', async () => {
    const setting = await manualApp([Gate], { lease: '30s', shutdownTimeout: '5s' });
    const { app, clock } = setting;
    await publish(setting, 'gate.work', ['a']);
    breakVerb(storeOf(setting), 'settle');
    breakVerb(storeOf(setting), 'beat');
    app.get(Gate).runs[0].end();
    let closed = false;
    const draining = app
      .get(EventsNode)
      .drain()
      .then(() => (closed = true));
    await clock.advance(29_999);
    expect(closed).toBe(false);
    await clock.advance(1);
    await draining;
    expect(clock.nextTimerInMs, 'a timer is left').toBeUndefined();
  });
});

describe('a pause', () => {
  it('gives back what a claim under way brings; resumed, it runs', async () => {
    const setting = await manualApp([Quick]);
    const { app, clock } = setting;
    const { letGo } = hangingClaim(setting);
    await publish(setting, 'quick.work', ['a']);
    await app.get(EventsNode).pause();
    letGo();
    await clock.advance(60_000);
    expect(app.get(Quick).seen).toEqual([]);
    expect(await states(setting, ['a'])).toEqual(['pending 0']);
    await app.get(EventsNode).resume();
    await clock.advance(0);
    expect(app.get(Quick).seen).toEqual(['a']);
  });
});

describe('a node whose beats do not get through', () => {
  it('stops its work before others take it, claims nothing, and goes on when they get through again', async () => {
    const setting = await manualApp([Gate], { lease: '30s' });
    const { app, clock } = setting;
    await publish(setting, 'gate.work', ['a', 'b', 'c']);
    const gate = app.get(Gate);
    const beat = breakVerb(storeOf(setting), 'beat');
    await clock.advance(24_999);
    expect(gate.runs.map(({ signal }) => signal.aborted)).toEqual([false, false]);
    await clock.advance(1);
    expect(gate.runs.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    await clock.advance(20_000);
    expect(gate.runs).toHaveLength(2);
    // Nobody took them: they must not stay leased to this node for ever.
    expect(await states(setting, ['a', 'b', 'c'])).toEqual(['pending 0', 'pending 0', 'pending 0']);
    beat.works();
    await clock.advance(5_000);
    expect(gate.runs.slice(2).map(({ id, attempt }) => [id, attempt])).toEqual([
      ['a', 1],
      ['b', 1],
    ]);
  });
});

describe('a node that was declared dead', () => {
  it.each(['claim', 'beat'] as const)(
    'finds it out by its next %s, drops its runs, and comes back under a new id',
    async (by) => {
      const setting = await manualApp([Gate, Quick], { lease: '30s' });
      const { app, clock } = setting;
      const node = app.get(EventsNode);
      await publish(setting, 'gate.work', ['a']);
      const [first] = app.get(Gate).runs;
      const before = node.id;
      await storeOf(setting).removeNode(Number(before), clock.now());
      if (by === 'claim') await publish(setting, 'quick.work', ['q']);
      else await clock.advance(5_000);
      expect(first.signal.reason).toMatchObject({ reason: 'lease-lost' });
      expect(node.id).not.toBe(before);
      expect((await storeOf(setting).nodes()).map(({ id }) => String(id))).toEqual([node.id]);

      await clock.advance(2_000);
      const [, second] = app.get(Gate).runs;
      expect(second).toMatchObject({ id: 'a', attempt: 2 });
      first.end();
      await clock.advance(0);
      expect(await states(setting, ['a'])).toEqual(['processing 1']);
      second.end();
      await clock.advance(60_000);
      expect(await states(setting, ['a'])).toEqual(['completed 2']);
      expect(app.get(EventsStats).snapshot().total).toMatchObject({
        inFlight: 0,
        leaked: 0,
        completed: by === 'claim' ? 2 : 1,
      });
    },
  );
});

describe('an answer that comes late', () => {
  it('about a lease of an earlier attempt does not abort the one that runs now', async () => {
    const setting = await manualApp([Gate], { lease: '30s' });
    const { app, clock } = setting;
    await publish(setting, 'gate.work', ['a']);
    const { runs } = app.get(Gate);
    let answer = (_lost: number[]): void => undefined;
    const check = vi.spyOn(storeOf(setting), 'lostLeases');
    check.mockImplementationOnce(() => new Promise((resolve) => (answer = resolve)));
    await clock.advance(5_000);
    const [, [{ id }]] = check.mock.calls[0];
    runs[0].fail(new Error('down'));
    await clock.advance(1_000);
    expect(runs).toHaveLength(2);
    answer([id]);
    await clock.advance(0);
    expect(runs[1].signal.aborted).toBe(false);
    runs[1].end();
    await clock.advance(0);
    expect(await states(setting, ['a'])).toEqual(['completed 2']);
  });

  it('about a delivery whose transaction is committing meanwhile is no lost lease', async () => {
    const signals: AbortSignal[] = [];
    @Injectable()
    class Booking {
      @OnEvent('booking.work', { name: 'booking', timeout: '1h', circuit: false })
      async run(_event: EventMessage, context: DeliveryContext): Promise<void> {
        signals.push(context.signal);
        await context.transaction(() => Promise.resolve());
      }
    }
    const setting = await manualApp([Booking], { lease: '30s' });
    const { app, clock } = setting;
    const store = storeOf(setting);
    let answer = (): void => undefined;
    const transaction = store.transaction.bind(store);
    vi.spyOn(store, 'transaction').mockImplementationOnce(async (work) => {
      const value = await transaction(work);
      await new Promise<void>((resolve) => (answer = resolve));
      return value;
    });
    await publish(setting, 'booking.work', ['a']);
    expect(await states(setting, ['a'])).toEqual(['completed 1']);
    await clock.advance(20_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    answer();
    await clock.advance(0);
    expect(app.get(EventsStats).snapshot().handlers['booking']).toMatchObject({ completed: 1, lost: 0, leaked: 0 });
  });

  it('that the node is gone does not put out the node that has come back meanwhile', async () => {
    const setting = await manualApp([Quick], { lease: '30s' });
    const { app, clock } = setting;
    const node = app.get(EventsNode);
    let answer = (): void => undefined;
    claimApart(storeOf(setting));
    const claim = vi.spyOn(storeOf(setting), 'claim');
    claim.mockImplementationOnce(() => new Promise((resolve) => (answer = () => resolve(null))));
    await publish(setting, 'quick.work', ['a']);
    await storeOf(setting).removeNode(Number(node.id), clock.now());
    await clock.advance(5_000);
    const { id } = node;
    answer();
    await clock.advance(2_000);
    expect(node.id).toBe(id);
    expect(app.get(Quick).seen).toEqual(['a']);
  });
});

describe('an attempt whose transaction has committed', () => {
  it('goes on undisturbed by the lease check, although its lease is no more', async () => {
    const seen: AbortSignal[] = [];
    let end = (): void => undefined;
    @Injectable()
    class Committing {
      @OnEvent('commit.work', { name: 'committing', circuit: false })
      async run(_event: EventMessage, context: DeliveryContext): Promise<void> {
        await context.transaction(async () => undefined);
        seen.push(context.signal);
        await new Promise<void>((resolve) => (end = resolve));
      }
    }
    const setting = await manualApp([Committing], { lease: '30s' });
    await publish(setting, 'commit.work', ['a']);
    await setting.clock.advance(20_000);
    expect(seen.map(({ aborted }) => aborted)).toEqual([false]);
    end();
    await setting.clock.advance(0);
    expect(await states(setting, ['a'])).toEqual(['completed 1']);
  });
});

describe('deliveries that a node died with', () => {
  it('run one at a time, and one right after the other', async () => {
    const setting = await manualApp([Gate]);
    const { app, clock } = setting;
    const store = storeOf(setting);
    await app.get(EventsNode).pause();
    await publish(setting, 'gate.work', ['a', 'b', 'c']);
    const died = await store.registerNode({ label: 'other', host: 'elsewhere', pid: 1 }, 0);
    await store.claim({ node: died, wants: [{ handler: 'gate', limit: 3 }], limit: 3, suspect: true });
    await store.removeNode(died, clock.now());
    await app.get(EventsNode).resume();
    for (const [index, id] of ['a', 'b', 'c'].entries()) {
      await clock.advance(0);
      const { runs } = app.get(Gate);
      expect(runs.map((run) => run.id).slice(index)).toEqual([id]);
      runs[index].end();
    }
    await clock.advance(0);
    expect(await states(setting, ['a', 'b', 'c'])).toEqual(['completed 2', 'completed 2', 'completed 2']);
  });
});
