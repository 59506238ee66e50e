import { metrics } from '@opentelemetry/api';
import { DataPointType, type Histogram, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import type { Registry } from 'prom-client';

/** By name, then by labels as `a=1,b=2`: a number, or what a histogram says. */
export type Readings = Record<string, Record<string, number | HistogramReading>>;

export interface HistogramReading {
  readonly count: number;
  readonly sum: number;
  /** Of each bound, how many were at most as large; the infinite one left out. */
  readonly buckets: Readonly<Record<string, number>>;
}

class ManualReader extends MetricReader {
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
}

/** An SDK of OpenTelemetry as an application would set it up, until it is shut down. */
export class OpenTelemetrySdk {
  private readonly reader = new ManualReader();
  private readonly provider = new MeterProvider({ readers: [this.reader] });

  constructor() {
    metrics.setGlobalMeterProvider(this.provider);
  }

  async shutdown(): Promise<void> {
    metrics.disable();
    await this.provider.shutdown();
  }

  async collect(): Promise<Readings> {
    const { resourceMetrics } = await this.reader.collect();
    const scope = resourceMetrics.scopeMetrics.find(({ scope }) => scope.name === 'nestjs-durable-events');
    const readings: Readings = {};
    for (const { descriptor, dataPointType, dataPoints } of scope?.metrics ?? []) {
      const series = (readings[descriptor.name] ??= {});
      for (const { attributes, value } of dataPoints) {
        series[labelsOf(attributes)] =
          dataPointType === DataPointType.HISTOGRAM ? histogramOf(value as Histogram) : (value as number);
      }
    }
    return readings;
  }
}

/** What a scrape would see. */
export async function readRegistry(registry: Registry): Promise<Readings> {
  const readings: Readings = {};
  for (const { name, type, values } of await registry.getMetricsAsJSON()) {
    const series = (readings[name] ??= {});
    for (const { labels, value, ...rest } of values) {
      const { le, ...others } = labels;
      const key = labelsOf(others);
      if (String(type) !== 'histogram') {
        series[key] = value;
        continue;
      }
      const reading = (series[key] ??= { count: 0, sum: 0, buckets: {} }) as {
        count: number;
        sum: number;
        buckets: Record<string, number>;
      };
      const { metricName } = rest as { metricName?: string };
      if (metricName === `${name}_sum`) reading.sum = value;
      else if (metricName === `${name}_count`) reading.count = value;
      else if (le !== '+Inf') reading.buckets[String(le)] = value;
    }
  }
  return readings;
}

function histogramOf({ count, sum = 0, buckets }: Histogram): HistogramReading {
  let below = 0;
  const bounds = buckets.boundaries.map((bound, index) => [bound, (below += buckets.counts[index])]);
  return { count, sum, buckets: Object.fromEntries(bounds) as Record<string, number> };
}

function labelsOf(labels: object): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${String(value)}`)
    .toSorted()
    .join();
}
