/** Scope: what prom-client says of metrics that are summed up outside of it: the same as of its own. */
import * as prom from 'prom-client';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../../errors/invalid-option.error.js';
import { MissingPackageError } from '../../errors/missing-package.error.js';
import { loadPromClient } from './load-prom-client.js';
import type { CounterDefinition, GaugeDefinition, HistogramDefinition } from './metric-definitions.js';
import { PrometheusSink } from './prometheus.sink.js';

const seconds: HistogramDefinition = {
  name: 'seconds',
  kind: 'histogram',
  help: 'Help.',
  labels: ['handler', 'outcome'],
  unit: 's',
  buckets: [0.1, 1, 10],
  feeds: [],
};
const total: CounterDefinition = { ...seconds, name: 'things_total', kind: 'counter', labels: ['event'] };

function setUp() {
  const registry = new prom.Registry();
  return { registry, sink: new PrometheusSink(prom, registry, 'x_') };
}

/** What prom-client's own histogram, fed one by one, says. */
async function expectedOf(values: readonly (readonly [handler: string, value: number])[]): Promise<unknown[]> {
  const registers = [new prom.Registry()];
  const { labels: labelNames, help, buckets } = seconds;
  const own = new prom.Histogram({ name: 'x_seconds', help, labelNames, buckets: [...buckets], registers });
  for (const [handler, value] of values) own.observe({ handler, outcome: 'completed' }, value);
  return [await registers[0]?.metrics(), (await registers[0]?.getMetricsAsJSON())?.map(flat)];
}

/** Labels beside the value, whatever their order. */
function flat({ values, ...metric }: { values: readonly { labels: object }[] }): object {
  return {
    ...metric,
    values: values.map(({ labels, ...value }) => ({ ...labels, ...value, exemplar: null })),
  };
}

/** Labels of a line of the text may stand in any order. */
function lines(text: unknown): string[] {
  return String(text)
    .split('\n')
    .map((line) => line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(',').toSorted().join(',')}}`));
}

describe('a histogram', () => {
  it('reads as if each value had been observed by prom-client', async () => {
    const { registry, sink } = setUp();
    const values = [0, 0.1, 0.10001, 1, 5, 10, 11, 1e9].flatMap((value, index) => [
      ['a', value] as const,
      ...(index % 2 === 0 ? [['b"\\\n', value] as const] : []),
    ]);
    const series = sink.factMetric(seconds);
    const record = new Map(['a', 'b"\\\n'].map((handler) => [handler, series([handler, 'completed'])]));
    for (const [handler, value] of values) record.get(handler)?.(value);
    const [text, json] = await expectedOf(values);
    expect(lines(await registry.metrics())).toEqual(lines(text));
    expect((await registry.getMetricsAsJSON()).map(flat)).toEqual(json);
    // Nothing is added up twice.
    expect(lines(await registry.metrics())).toEqual(lines(text));
  });

  it('is empty again when the registry is reset', async () => {
    const { registry, sink } = setUp();
    const record = sink.factMetric(seconds)(['a', 'completed']);
    record(5);
    registry.resetMetrics();
    record(0.5);
    expect(await registry.metrics()).toContain('x_seconds_sum{handler="a",outcome="completed"} 0.5\n');
  });
});

describe('a counter', () => {
  it('goes on where it was at the last collection', async () => {
    const { registry, sink } = setUp();
    const series = sink.factMetric(total);
    const [a, b] = [series(['a']), series(['b'])];
    a(2);
    expect(await registry.metrics()).toContain('x_things_total{event="a"} 2\nx_things_total{event="b"} 0\n');
    a(3);
    b(1);
    expect(await registry.metrics()).toContain('x_things_total{event="a"} 5\nx_things_total{event="b"} 1\n');
  });
});

describe('a gauge', () => {
  it('has what is read when it is collected, and nothing of before', async () => {
    const { registry, sink } = setUp();
    let handlers = ['a', 'b'];
    const gauge: GaugeDefinition = { ...total, name: 'level', kind: 'gauge', labels: ['handler'], read: () => [] };
    sink.gauge(gauge, () => handlers.map((handler) => ({ labels: [handler], value: 1 })));
    expect(await registry.metrics()).toContain('x_level{handler="a"} 1\nx_level{handler="b"} 1\n');
    handlers = ['b'];
    expect(await registry.metrics()).not.toContain('handler="a"');
  });
});

describe('a registry', () => {
  it('that has a metric of these names is refused, naming it', () => {
    const registry = new prom.Registry();
    const gauge = new prom.Gauge({ name: 'x_nodes', help: 'mine', registers: [registry] });
    const open = () => new PrometheusSink(prom, registry, 'x_');
    expect(open).toThrow(InvalidOptionError);
    expect(open).toThrow(/metrics\.prefix.*x_nodes already, but is 'x_'/);
    expect(registry.getSingleMetric('x_nodes')).toBe(gauge);
  });

  it('is as it was when the sink is closed', async () => {
    const { registry, sink } = setUp();
    const mine = new prom.Counter({ name: 'mine', help: 'mine', registers: [registry] });
    const record = sink.factMetric(total)(['a']);
    sink.factMetric(seconds);
    sink.close();
    record(1);
    expect(registry.getMetricsAsArray()).toEqual([mine]);
  });
});

describe('prom-client', () => {
  it('is named where it is missing, and the option that needs it', async () => {
    const absent = 'prom-client-that-is-not-installed';
    const failure = loadPromClient(() => import(/* @vite-ignore */ absent) as Promise<typeof prom>);
    await expect(failure).rejects.toBeInstanceOf(MissingPackageError);
    await expect(failure).rejects.toMatchObject({
      code: 'EVENTS_MISSING_PACKAGE',
      packageName: 'prom-client',
      message: /metrics\.prometheus needs .*npm install prom-client/,
    });
  });

  it('that is there and broken is not said to be missing', async () => {
    await expect(loadPromClient(() => Promise.reject(new SyntaxError('broken')))).rejects.toThrow('broken');
  });
});
