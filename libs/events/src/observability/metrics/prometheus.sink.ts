import type { Registry } from 'prom-client';
import { InvalidOptionError } from '../../errors/invalid-option.error.js';
import { CounterSeries } from './counter-series.js';
import type { GaugeReading } from './gauge-source.js';
import { HistogramSeries } from './histogram-series.js';
import type { PromClient } from './load-prom-client.js';
import {
  type CounterDefinition,
  type FactMetricDefinition,
  type GaugeDefinition,
  type HistogramDefinition,
  type MetricDefinition,
  METRICS,
} from './metric-definitions.js';
import type { MetricSink, RecordValue } from './metric-sink.js';
import { namedLabels } from './named-labels.js';
import type { PrometheusRegistry } from './prometheus-registry.js';

type NewSeries = (labels: readonly string[]) => RecordValue;

/**
 * Metrics of prom-client. That looks up the labels anew at each `inc` and `observe`, which takes several times as long as
 * all else that a fact costs; there are three to a delivery. So values are summed up here, and it gets them when it collects.
 */
export class PrometheusSink implements MetricSink {
  private readonly registered: string[] = [];

  /** @throws InvalidOptionError when the registry has metrics of these names. */
  constructor(
    private readonly client: PromClient,
    private readonly registry: PrometheusRegistry,
    private readonly prefix: string,
  ) {
    const taken = METRICS.map(({ name }) => prefix + name).find((name) => registry.getSingleMetric(name));
    if (taken === undefined) return;
    const expected = `another, since the Prometheus registry has ${taken} already`;
    throw new InvalidOptionError('EventsModule.forRoot()', 'metrics.prefix', prefix, expected);
  }

  factMetric(metric: FactMetricDefinition): NewSeries {
    return metric.kind === 'counter' ? this.counter(metric) : this.histogram(metric);
  }

  gauge(metric: GaugeDefinition, read: () => readonly GaugeReading[]): void {
    const collect = () => {
      gauge.reset();
      // One without labels is then 0, which would be a reading.
      if (metric.labels.length === 0) gauge.remove();
      for (const { labels, value } of read()) gauge.set(namedLabels(metric.labels, labels), value);
    };
    const gauge = new this.client.Gauge({ ...this.register(metric), collect });
  }

  close(): void {
    for (const name of this.registered.splice(0)) this.registry.removeSingleMetric(name);
  }

  private counter(metric: CounterDefinition): NewSeries {
    const all: CounterSeries[] = [];
    const collect = () => {
      for (const series of all) counter.inc(series.labels, series.take());
    };
    const counter = new this.client.Counter({ ...this.register(metric), collect });
    return (labels) => {
      const series = new CounterSeries(namedLabels(metric.labels, labels));
      all.push(series);
      return series.add;
    };
  }

  /** A histogram of prom-client takes no sums: this one answers those kept here in the place of its own. */
  private histogram(metric: HistogramDefinition): NewSeries {
    const all: HistogramSeries[] = [];
    const config = this.register(metric);
    const histogram = new this.client.Histogram({ ...config, buckets: [...metric.buckets] });
    const { name, help } = config;
    const values = () => all.flatMap((series) => series.values());
    const get = () => Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values: values() });
    const reset = () => {
      for (const series of all) series.reset();
    };
    // The second, a shorter form of the first, is what the registry asks for if it is there.
    Object.assign(histogram, { get, getForPromString: get, reset });
    return (labels) => {
      const series = new HistogramSeries(name, namedLabels(metric.labels, labels), metric.buckets);
      all.push(series);
      return series.observe;
    };
  }

  private register({ name, help, labels }: MetricDefinition) {
    this.registered.push(this.prefix + name);
    return {
      name: this.prefix + name,
      help,
      labelNames: [...labels],
      registers: [this.registry as unknown as Registry],
    };
  }
}
