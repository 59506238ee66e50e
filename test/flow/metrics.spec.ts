/** Scope: every metric of a real run, as Prometheus scrapes it and as an SDK of OpenTelemetry collects it. */
import { EventLifecycle, EventPublisher, type EventsModuleOptions, InvalidOptionError } from 'nestjs-durable-events';
import { register, Registry } from 'prom-client';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Maintenance } from '../../libs/events/src/maintenance/maintenance.js';
import { METRICS } from '../../libs/events/src/observability/metrics/metric-definitions.js';
import { event } from '../../libs/events/src/testing/store-contract/scene.js';
import { EveryFact } from '../support/every-fact.js';
import { closeManualApps } from '../support/manual-app.js';
import { OpenTelemetrySdk, readRegistry, type Readings } from '../support/metric-readers.js';

let sdk: OpenTelemetrySdk | undefined;

afterEach(async () => {
  await closeManualApps();
  await sdk?.shutdown();
  sdk = undefined;
  vi.restoreAllMocks();
});

/** After the day of `EveryFact`: two raw events, one of them 20 s old, and a delivery pending for 30 s on a node that rests. */
async function lateOnTheDay(day: EveryFact): Promise<void> {
  await day.all();
  await day.publish('fragile', 'fail', 'breaks again');
  await day.publish('once', 'wait', 'runs');
  await day.node.pause();
  await day.publish('late', 'return', 'pending');
  await day.pass(10_000);
  for (const id of ['old', 'new']) {
    const request = { events: [event(id)], registryVersion: -1, now: day.setting.clock.now() };
    await day.store.append(request);
    if (id === 'old') await day.pass(20_000);
  }
  await day.setting.app.get(Maintenance).sample();
}

/** Of a histogram whose values are all 0. */
const INSTANT = (count: number) => ({ count, sum: 0 });

/** All counters and gauges, without their prefix; of histograms those series that show something. */
const EXPECTED: Readings = {
  published_total: {
    'event=day.fragile': 3,
    'event=day.late': 2,
    'event=day.limited': 2,
    'event=day.nobody': 1,
    'event=day.once': 4,
    'event=day.steady': 9,
  },
  duplicates_total: { 'event=day.steady': 1 },
  unhandled_total: { 'event=day.nobody': 1 },
  deliveries_total: {
    'event=day.steady,handler=steady,outcome=completed': 7,
    'event=day.steady,handler=steady,outcome=retried': 2,
    'event=day.steady,handler=steady,outcome=dead': 3,
    'event=day.steady,handler=steady,outcome=snoozed': 1,
    'event=day.steady,handler=steady,outcome=cancelled': 1,
    'event=unknown,handler=steady,outcome=lost': 1,
    'event=day.limited,handler=limited,outcome=completed': 1,
    'event=day.limited,handler=limited,outcome=snoozed': 1,
    'event=day.once,handler=once,outcome=completed': 1,
    'event=day.once,handler=once,outcome=skipped': 2,
    'event=day.once,handler=once,outcome=snoozed': 1,
    'event=day.fragile,handler=fragile,outcome=completed': 1,
    'event=day.fragile,handler=fragile,outcome=retried': 2,
    'event=day.fragile,handler=fragile,outcome=dead': 1,
    'event=day.late,handler=late,outcome=completed': 1,
  },
  retries_total: { 'event=day.steady,handler=steady': 2, 'event=day.fragile,handler=fragile': 2 },
  dead_letters_total: {
    'handler=steady,reason=exhausted': 1,
    'handler=steady,reason=rejected': 2,
    'handler=fragile,reason=exhausted': 1,
  },
  rate_limited_total: { 'handler=limited': 1 },
  idempotency_duplicates_total: { 'handler=once,reason=processing': 1, 'handler=once,reason=completed': 2 },
  circuit_state: {
    'handler=steady': 0,
    'handler=limited': 0,
    'handler=once': 0,
    'handler=fragile': 1,
    'handler=late': 0,
  },
  circuit_transitions_total: {
    'handler=fragile,to=open': 3,
    'handler=fragile,to=half-open': 2,
    'handler=fragile,to=closed': 1,
  },
  in_flight: {
    'handler=steady': 0,
    'handler=limited': 0,
    'handler=once': 1,
    'handler=fragile': 0,
    'handler=late': 0,
  },
  backlog: {
    'handler=steady,state=pending': 0,
    'handler=steady,state=scheduled': 1,
    'handler=steady,state=processing': 0,
    'handler=limited,state=pending': 0,
    'handler=limited,state=scheduled': 1,
    'handler=limited,state=processing': 0,
    'handler=fragile,state=pending': 0,
    'handler=fragile,state=scheduled': 1,
    'handler=fragile,state=processing': 0,
    'handler=once,state=pending': 0,
    'handler=once,state=scheduled': 0,
    'handler=once,state=processing': 1,
    'handler=late,state=pending': 1,
    'handler=late,state=scheduled': 0,
    'handler=late,state=processing': 0,
  },
  oldest_pending_age_seconds: {
    'handler=steady': 0,
    'handler=limited': 0,
    'handler=once': 0,
    'handler=fragile': 0,
    'handler=late': 30,
  },
  inbox_unprocessed: { '': 2 },
  inbox_unprocessed_age_seconds: { '': 20 },
  dead_letters: {
    'handler=steady': 1,
    'handler=limited': 0,
    'handler=once': 0,
    'handler=fragile': 1,
    'handler=late': 0,
  },
  store_errors_total: { 'verb=append': 1 },
  scheduler_state: {
    'state=notStarted': 0,
    'state=running': 0,
    'state=paused': 1,
    'state=draining': 0,
    'state=stopped': 0,
  },
  nodes: { '': 1 },
};

const HISTOGRAMS = {
  delivery_duration_seconds: {
    'handler=steady,outcome=completed': { count: 7, sum: 0.25, buckets: { '0.001': 6, '0.1': 6, '0.25': 7, '60': 7 } },
    'handler=steady,outcome=retried': { count: 2, sum: 5, buckets: { '2.5': 1, '5': 2 } },
    'handler=steady,outcome=dead': INSTANT(3),
  },
  delivery_wait_seconds: {
    'handler=late': { count: 1, sum: 3, buckets: { '2.5': 0, '5': 1, '7200': 1 } },
    'handler=limited': INSTANT(2),
  },
  retry_delay_seconds: { 'handler=steady': { count: 2, sum: 2, buckets: { '0.5': 0, '1': 2 } } },
  store_duration_seconds: { 'verb=prune': INSTANT(2), 'verb=cancel': INSTANT(1) },
};

const withPrefix = (readings: object, prefix = 'events_') =>
  Object.fromEntries(Object.entries(readings).map(([name, series]) => [prefix + name, series as unknown]));
const only = (readings: Readings, names: object) =>
  Object.fromEntries(Object.keys(names).map((name) => [name, readings[name]]));

async function metricsOf(metrics: EventsModuleOptions['metrics']): Promise<EveryFact> {
  return EveryFact.begin({ metrics });
}

describe('a day on which everything happens', () => {
  it('is counted by every metric, for Prometheus and for OpenTelemetry', async () => {
    sdk = new OpenTelemetrySdk();
    const registry = new Registry();
    await lateOnTheDay(await metricsOf({ prometheus: registry }));
    const scraped = await readRegistry(registry);
    const counts = withPrefix(EXPECTED);
    expect(only(scraped, counts)).toEqual(counts);
    expect(scraped).toMatchObject(withPrefix(HISTOGRAMS));

    expect(await sdk.collect()).toEqual(scraped);
    expect(Object.keys(scraped).toSorted()).toEqual(METRICS.map(({ name }) => `events_${name}`).toSorted());
    expect(Object.keys({ ...EXPECTED, ...HISTOGRAMS })).toHaveLength(METRICS.length);
  });

  it('ends with what is given back', async () => {
    const registry = new Registry();
    const day = await metricsOf({ prometheus: registry });
    await day.leave();
    expect(await readRegistry(registry)).toMatchObject({
      events_deliveries_total: { 'event=day.steady,handler=steady,outcome=released': 1 },
      events_scheduler_state: { 'state=running': 0, 'state=stopped': 1 },
    });
  });

  it('is read without a question to the database', async () => {
    sdk = new OpenTelemetrySdk();
    const registry = new Registry();
    await metricsOf({ prometheus: registry });
    const before = await readRegistry(registry);
    expect(before['events_store_duration_seconds']).not.toEqual({});
    await sdk.collect();
    expect(await readRegistry(registry)).toEqual(before);
  });
});

describe('the names', () => {
  it('have the prefix that is asked for, in both', async () => {
    sdk = new OpenTelemetrySdk();
    const registry = new Registry();
    await metricsOf({ prometheus: registry, prefix: 'billing_' });
    const names = Object.keys(await readRegistry(registry));
    expect(names.toSorted()).toEqual(METRICS.map(({ name }) => `billing_${name}`).toSorted());
    expect(Object.keys(await sdk.collect()).filter((name) => !names.includes(name))).toEqual([]);
  });

  it('that stand in the registry already end the start', async () => {
    const registry = new Registry();
    await metricsOf({ prometheus: registry });
    await expect(metricsOf({ prometheus: registry })).rejects.toBeInstanceOf(InvalidOptionError);
    await metricsOf({ prometheus: registry, prefix: 'other_' });
  });

  it('are in the default registry if that is asked for, and gone when the application is closed', async () => {
    await metricsOf({ prometheus: true });
    expect(Object.keys(await readRegistry(register))).toContain('events_published_total');
    await closeManualApps();
    expect(await readRegistry(register)).toEqual({});
  });
});

describe('labels', () => {
  it('tell 200 event types apart; a thousand make no more series', async () => {
    sdk = new OpenTelemetrySdk();
    const registry = new Registry();
    const day = await metricsOf({ prometheus: registry });
    const events = Array.from({ length: 1_000 }, (_, n) => ({ event: `invented.t${n}`, payload: {} }));
    await day.setting.app.get(EventPublisher).publishAll(events);
    for (const readings of [await readRegistry(registry), await sdk.collect()]) {
      for (const name of ['events_published_total', 'events_unhandled_total']) {
        expect(Object.keys(readings[name] ?? {})).toHaveLength(201);
        expect(readings[name]?.['event=other']).toBe(800);
      }
    }
  });
});

describe('without anybody to count for', () => {
  const wanted = async (metrics: EventsModuleOptions['metrics']) =>
    (await metricsOf(metrics)).setting.app.get(EventLifecycle).wants('completed');

  it('nothing listens, so that facts are not made', async () => {
    expect([await wanted(undefined), await wanted({ openTelemetry: false })]).toEqual([false, false]);
    sdk = new OpenTelemetrySdk();
    expect([await wanted(undefined), await wanted({ openTelemetry: false })]).toEqual([true, false]);
    expect(await wanted({ openTelemetry: false, prometheus: new Registry() })).toBe(true);
  });

  it('nothing listens any more', async () => {
    sdk = new OpenTelemetrySdk();
    const { setting } = await metricsOf({ prometheus: true });
    await closeManualApps();
    expect(setting.app.get(EventLifecycle).wants('completed')).toBe(false);
    expect(only(await sdk.collect(), { events_in_flight: 0, events_nodes: 0 })).toEqual({});
  });
});

describe('a node that only publishes', () => {
  it('counts what it publishes, and says nothing of handlers or of the cluster, which it does not look at', async () => {
    const registry = new Registry();
    const day = await EveryFact.begin({ handlers: false, metrics: { prometheus: registry } });
    await day.publish('steady', 'return', 'a');
    const { events_published_total: published, ...readings } = await readRegistry(registry);
    expect(published).toEqual({ 'event=day.steady': 1 });
    const silent = ['backlog', 'nodes', 'dead_letters', 'inbox_unprocessed', 'in_flight', 'circuit_state'];
    for (const name of silent) expect(readings[`events_${name}`]).toEqual({});
  });
});
