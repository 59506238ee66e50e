import type { GaugeReading } from './gauge-source.js';
import type { FactMetricDefinition, GaugeDefinition } from './metric-definitions.js';

/** Adds to a counter, or records a value of a histogram. */
export type RecordValue = (value: number) => void;

/** Where metrics go. Names carry the prefix there. */
export interface MetricSink {
  /** Makes the instrument. Its answer is called once for each series, and what that answers, at each fact: it must be quick. */
  factMetric(metric: FactMetricDefinition): (labels: readonly string[]) => RecordValue;

  /** `read` is called by each collection. */
  gauge(metric: GaugeDefinition, read: () => readonly GaugeReading[]): void;

  /** Takes all instruments back. What was recorded into is still safe to call. */
  close(): void;
}
