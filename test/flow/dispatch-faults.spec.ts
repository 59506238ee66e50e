/** The executor with a store that fails, with a handler that hangs, and with a cancellation at the wrong time. */
import { Injectable } from '@nestjs/common';
import { EventInbox, EventMessage, OnEvent } from 'nestjs-durable-events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  breakVerb,
  claimApart,
  Gate,
  publish,
  Quick,
  range,
  retry,
  states,
  storeOf,
} from '../support/dispatch-scene.js';
import { closeManualApps, manualApp } from '../support/manual-app.js';

afterEach(closeManualApps);
afterEach(() => void vi.restoreAllMocks());

describe('a store that fails', () => {
  it('to write outcomes stops the claims when many wait, and they go on as soon as it works again', async () => {
    const setting = await manualApp([Quick], { batchSize: 1, pollInterval: '10m' });
    const { app, clock } = setting;
    const settle = breakVerb(storeOf(setting), 'settle');
    const ids = range('e', 30);
    await publish(setting, 'quick.work', ids);
    await clock.advance(3_000);
    const { seen } = app.get(Quick);
    expect(seen.length).toBeLessThan(30);
    settle.works();
    // The next try comes within five seconds; the rest must not wait for polls.
    await clock.advance(clock.nextTimerInMs ?? 0);
    await expect.poll(async () => (await clock.advance(10), seen.length), { timeout: 2_000 }).toBe(30);
    await clock.advance(5_000);
    expect(await states(setting, ids)).toEqual(ids.map(() => 'completed 1'));
  });

  it('to stage forgets no retry: it runs as soon as the store answers', async () => {
    const setting = await manualApp([Gate], { pollInterval: '10m' });
    const { app, clock } = setting;
    await publish(setting, 'gate.work', ['a']);
    const { runs } = app.get(Gate);
    runs[0].fail(new Error('down'));
    await clock.advance(500);
    const stage = breakVerb(storeOf(setting), 'stage');
    await clock.advance(550);
    stage.works();
    expect(runs).toHaveLength(1);
    await clock.advance(100);
    expect(runs).toHaveLength(2);
  });

  it('to read a large payload spends no attempt', async () => {
    const setting = await manualApp([Quick]);
    const { app, clock } = setting;
    const store = storeOf(setting);
    claimApart(store);
    const real = store.claim.bind(store);
    vi.spyOn(store, 'claim').mockImplementation(async (request) => {
      const claimed = await real(request);
      return claimed && claimed.map((delivery) => ({ ...delivery, event: { ...delivery.event, payload: null } }));
    });
    const payload = breakVerb(store, 'payload');
    await publish(setting, 'quick.work', ['a']);
    await clock.advance(5_000);
    expect([app.get(Quick).seen, await states(setting, ['a'])]).toEqual([[], ['scheduled 0']]);
    payload.works();
    await clock.advance(1_000);
    expect([app.get(Quick).seen, await states(setting, ['a'])]).toEqual([['a'], ['completed 1']]);
  });
});

describe('a handler that was quick and hangs now', () => {
  it('holds up no other handler', async () => {
    let hangs = false;
    @Injectable()
    class Turning {
      @OnEvent('turning.work', {
        name: 'turning',
        concurrency: 1,
        timeout: '1s',
        circuit: false,
        retry: { ...retry, initialDelay: '1h', maxDelay: '1h' },
      })
      run(): Promise<void> | undefined {
        return hangs ? new Promise(() => {}) : undefined;
      }
    }
    const setting = await manualApp([Turning, Quick]);
    const { app, clock } = setting;
    await publish(setting, 'turning.work', range('warm', 5));
    hangs = true;
    await publish(setting, 'turning.work', range('slow', 600));
    await publish(setting, 'quick.work', ['before']);
    await clock.advance(2_500);
    await publish(setting, 'quick.work', ['after']);
    expect(app.get(Quick).seen).toEqual(['before', 'after']);
    // Of the 500 it held in hand it has given back what cannot begin within a second at the pace of late.
    const { processing } = (await storeOf(setting).backlog()).find(({ handler }) => handler === 'turning')!;
    expect(processing).toBeLessThanOrEqual(10);
  });
});

describe('a cancelled delivery', () => {
  it('that is claimed but has not begun never runs', async () => {
    const ran: string[] = [];
    let hold: Promise<void> | undefined;
    let letGo = (): void => undefined;
    @Injectable()
    class Turning {
      @OnEvent('turning.work', { name: 'turning', concurrency: 1, circuit: false, retry })
      run({ id }: EventMessage): Promise<void> | undefined {
        ran.push(id);
        return hold;
      }
    }
    const setting = await manualApp([Turning]);
    const { app, clock } = setting;
    await publish(setting, 'turning.work', ['warm']);
    hold = new Promise((resolve) => (letGo = resolve));
    await publish(setting, 'turning.work', ['a', 'b', 'c']);
    expect(await states(setting, ['a', 'b', 'c'])).toEqual(['processing 0', 'processing 0', 'processing 0']);
    const inbox = app.get(EventInbox);
    const [{ id }] = await inbox.deliveries('b');
    expect(await inbox.cancel(id)).toBe(true);
    letGo();
    await clock.advance(0);
    expect(ran).toEqual(['warm', 'a', 'c']);
    expect(await states(setting, ['a', 'b', 'c'])).toEqual(['completed 1', 'cancelled 0', 'completed 1']);
  });
});
