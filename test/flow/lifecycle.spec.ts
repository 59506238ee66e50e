/** Scope: lifecycle facts of a real run, each of them, on their channels and from the injected observable. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFile } from 'node:fs/promises';
import { Logger } from '@nestjs/common';
import {
  EventLifecycle,
  EventsStats,
  type FactName,
  type LifecycleFact,
  type LifecycleFacts,
} from 'nestjs-durable-events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FACT_NAMES } from '../../libs/events/src/observability/lifecycle-fact.js';
import { EveryFact } from '../support/every-fact.js';
import { closeManualApps } from '../support/manual-app.js';

const SOURCE = new URL('../../libs/events/src/observability/lifecycle-fact.ts', import.meta.url);

const steady = (eventId: string, deliveryId: string, attempt = 1) => ({
  handler: 'steady',
  type: 'day.steady',
  eventId,
  deliveryId,
  attempt,
});

/** The first of its kind on the day of `EveryFact`. */
const FIRST: LifecycleFacts = {
  published: { type: 'day.steady', count: 1 },
  duplicate: { type: 'day.steady', eventId: 'a' },
  fannedOut: { events: 1, deliveries: 1 },
  unhandled: { type: 'day.nobody' },
  claimed: { handler: 'steady', count: 1 },
  started: { ...steady('a', '1'), waitMs: 0 },
  completed: { ...steady('a', '1'), durationMs: 0 },
  skipped: { handler: 'once', type: 'day.once', eventId: 'afterwards', deliveryId: '11', attempt: 1, durationMs: 0 },
  retried: { ...steady('exhausted', '4'), durationMs: 0, delayMs: 1_000, error: 'TypeError' },
  snoozed: { ...steady('snoozed', '6'), durationMs: 0, delayMs: 60_000, reason: 'asked' },
  dead: { ...steady('exhausted', '4', 2), durationMs: 0, reason: 'exhausted', error: 'TypeError' },
  released: { ...steady('released', '19'), durationMs: 2_000 },
  cancelled: { ...steady('cancelled', '14'), durationMs: 0 },
  lost: { handler: 'steady', deliveryId: '17' },
  leaked: steady('stubborn', '16'),
  redriven: { count: 1 },
  discarded: { count: 1 },
  rescued: { node: '3', label: 'ghost' },
  circuit: { handler: 'fragile', from: 'closed', to: 'open' },
  handlerPaused: { handler: 'steady' },
  handlerResumed: { handler: 'steady' },
  scheduler: { state: 'running' },
  pruned: { rows: 26 },
  storeCall: { verb: 'ping', durationMs: 0 },
};

const listening: (() => void)[] = [];

/** What is published on the channels from now on. */
function listen(listener: (fact: LifecycleFact) => void): void {
  const onMessage = (fact: unknown) => listener(fact as LifecycleFact);
  for (const name of FACT_NAMES) {
    const channel = `nestjs-durable-events:${name}`;
    subscribe(channel, onMessage);
    listening.push(() => void unsubscribe(channel, onMessage));
  }
}

afterEach(async () => {
  await closeManualApps();
  for (const stop of listening.splice(0)) stop();
  vi.restoreAllMocks();
});

describe('lifecycle facts', () => {
  it('are all told, on the channels and by the observable, with what they say', async () => {
    const facts: LifecycleFact[] = [];
    listen((fact) => facts.push(fact));
    const day = await EveryFact.begin();
    const observed: LifecycleFact[] = [];
    const started = facts.length;
    day.setting.app.get(EventLifecycle).subscribe((fact) => observed.push(fact));
    await day.all();
    await day.leave();

    const first = (name: FactName) => facts.find(({ fact }) => fact === name);
    expect(Object.fromEntries(FACT_NAMES.map((name) => [name, first(name)]))).toEqual(
      Object.fromEntries(FACT_NAMES.map((name) => [name, { fact: name, ...FIRST[name] }])),
    );
    expect(observed).toEqual(facts.slice(started));
  });

  it('tell each turn of what can turn', async () => {
    const facts: LifecycleFact[] = [];
    listen((fact) => facts.push(fact));
    const day = await EveryFact.begin();
    await day.all();
    await day.leave();
    const told = <Name extends FactName>(name: Name) =>
      facts.filter((fact): fact is Extract<LifecycleFact, { fact: Name }> => fact.fact === name);

    expect(told('scheduler').map(({ state }) => state)).toEqual([
      'running',
      'paused',
      'running',
      'draining',
      'stopped',
    ]);
    expect(told('circuit').map(({ from, to }) => `${from} -> ${to}`)).toEqual([
      'closed -> open',
      'open -> half-open',
      'half-open -> open',
      'open -> half-open',
      'half-open -> closed',
    ]);
    expect(told('dead').map(({ eventId, reason }) => `${eventId}: ${reason}`)).toEqual([
      'exhausted: exhausted',
      'rejected: rejected',
      'breaks: exhausted',
      'rejected: rejected',
    ]);
    expect(told('snoozed').map(({ eventId, reason, delayMs }) => `${eventId}: ${reason} ${delayMs}`)).toEqual([
      'snoozed: asked 60000',
      'no token: rate-limited 60000',
      'meanwhile: key-busy 1000',
    ]);
    expect(told('storeCall').filter((fact) => 'error' in fact)).toEqual([
      {
        fact: 'storeCall',
        verb: 'append',
        durationMs: 0,
        error: expect.objectContaining({ code: 'EVENTS_FOREIGN_MANAGER' }),
      },
    ]);
  });

  it('are in the table of their documentation, with all that they say', async () => {
    const rows = new Map<string, string>();
    for (const line of (await readFile(SOURCE, 'utf8')).split('\n')) {
      const [, names, said] = /^ \* \| ((?:`\w+`(?:, )?)+) \| (.*) \|$/.exec(line) ?? [];
      for (const [, name] of names?.matchAll(/`(\w+)`/g) ?? []) rows.set(name, said);
    }
    expect([...rows.keys()].toSorted()).toEqual(FACT_NAMES.toSorted());
    const labels = new Set(Object.keys(steady('', '')));
    for (const name of FACT_NAMES) {
      const row = rows.get(name) ?? '';
      const missing = Object.keys(FIRST[name]).filter(
        (key) => !new RegExp(`\\b${key}\\b`).test(row) && !(row.includes('DeliveryLabels') && labels.has(key)),
      );
      expect({ name, missing }).toEqual({ name, missing: [] });
    }
  });
});

describe('listeners', () => {
  it('that throw change nothing', async () => {
    const dayOf = async (begin: (lifecycle: EventLifecycle) => void) => {
      const day = await EveryFact.begin();
      begin(day.setting.app.get(EventLifecycle));
      await day.all();
      return day.setting.app.get(EventsStats).snapshot();
    };
    const quiet = await dayOf(() => undefined);

    const logged = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const thrown = new Set<FactName>();
    const fail = ({ fact }: LifecycleFact) => {
      thrown.add(fact);
      throw new Error('mine');
    };
    listen(fail);
    const disturbed = await dayOf((lifecycle) => lifecycle.subscribe(fail));
    expect(disturbed).toEqual(quiet);
    // All but what only happens when a node leaves.
    expect(FACT_NAMES.filter((name) => !thrown.has(name))).toEqual(['released']);
    expect(logged.mock.calls.map(([line]) => line as unknown)).toContain(
      'a subscriber to lifecycle facts failed (said once)',
    );
  });

  it('that are not there cost nothing: no fact is made', async () => {
    const day = await EveryFact.begin();
    const lifecycle = day.setting.app.get(EventLifecycle);
    const emit = vi.spyOn(lifecycle, 'emit');
    const work = async (id: string) => {
      await day.publish('steady', 'return', id);
      await day.publish('steady', 'fail', `${id} fails`);
      await day.publish('steady', 'snooze', `${id} snoozes`);
    };
    await work('a');
    expect(emit).not.toHaveBeenCalled();

    const subscription = lifecycle.subscribe(() => undefined);
    await work('b');
    expect(emit).toHaveBeenCalled();
    subscription.unsubscribe();
    emit.mockClear();
    await work('c');
    expect(emit).not.toHaveBeenCalled();
  });
});
