import {
  createNoopMeter,
  type Meter,
  metrics,
  type ObservableCallback,
  type ObservableGauge,
} from '@opentelemetry/api';
import type { GaugeReading } from './gauge-source.js';
import type { FactMetricDefinition, GaugeDefinition } from './metric-definitions.js';
import type { MetricSink, RecordValue } from './metric-sink.js';
import { namedLabels } from './named-labels.js';

const METER = 'nestjs-durable-events';

/** Instruments of OpenTelemetry; what becomes of them is up to the SDK that the application has set up. */
export class OpenTelemetrySink implements MetricSink {
  private readonly observed: { readonly gauge: ObservableGauge; readonly callback: ObservableCallback }[] = [];

  private constructor(
    private readonly meter: Meter,
    private readonly prefix: string,
  ) {}

  /** Undefined while no SDK is set up: then there is nobody to record for. */
  static open(prefix: string): OpenTelemetrySink | undefined {
    const meter = metrics.getMeter(METER);
    return meter === createNoopMeter() ? undefined : new OpenTelemetrySink(meter, prefix);
  }

  factMetric(metric: FactMetricDefinition): (labels: readonly string[]) => RecordValue {
    const { kind, labels: names, unit, help: description } = metric;
    const name = this.prefix + metric.name;
    if (kind === 'counter') {
      const counter = this.meter.createCounter(name, { description, unit });
      return (labels) => {
        const attributes = namedLabels(names, labels);
        return (value) => counter.add(value, attributes);
      };
    }
    const advice = { explicitBucketBoundaries: [...metric.buckets] };
    const histogram = this.meter.createHistogram(name, { description, unit, advice });
    return (labels) => {
      const attributes = namedLabels(names, labels);
      return (value) => histogram.record(value, attributes);
    };
  }

  gauge({ name, labels: names, unit, help: description }: GaugeDefinition, read: () => readonly GaugeReading[]): void {
    const gauge = this.meter.createObservableGauge(this.prefix + name, { description, unit });
    const callback: ObservableCallback = (result) => {
      for (const { labels, value } of read()) result.observe(value, namedLabels(names, labels));
    };
    gauge.addCallback(callback);
    this.observed.push({ gauge, callback });
  }

  close(): void {
    for (const { gauge, callback } of this.observed.splice(0)) gauge.removeCallback(callback);
  }
}
