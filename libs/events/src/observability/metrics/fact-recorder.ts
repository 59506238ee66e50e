import type { FactName, LifecycleFact } from '../lifecycle-fact.js';
import { BoundedValues } from './bounded-values.js';
import { type FactMetricDefinition, METRICS } from './metric-definitions.js';
import type { MetricSink, RecordValue } from './metric-sink.js';
import { SeriesTree } from './series-tree.js';

/** Event types that are told apart in labels. */
const MOST_EVENT_TYPES = 200;
/** What stands for all others. */
const OTHER = 'other';

/** Of any fact; a feed only ever gets those it names. */
interface Feed {
  readonly labels: (fact: LifecycleFact) => readonly string[];
  readonly value?: (fact: LifecycleFact) => number | undefined;
}

/** Turns facts into what the sinks count. */
export class FactRecorder {
  private readonly recorders = new Map<FactName, ((fact: LifecycleFact) => void)[]>();
  private readonly eventTypes = new BoundedValues(MOST_EVENT_TYPES, OTHER);

  constructor(sinks: readonly MetricSink[]) {
    for (const metric of METRICS) if (metric.kind !== 'gauge') this.add(metric, sinks);
  }

  readonly record = (fact: LifecycleFact): void => {
    const recorders = this.recorders.get(fact.fact);
    if (recorders) for (const record of recorders) record(fact);
  };

  private add(metric: FactMetricDefinition, sinks: readonly MetricSink[]): void {
    const series = sinks.map((sink) => sink.factMetric(metric));
    const tree = new SeriesTree((labels) => toAll(series.map((make) => make(labels))));
    const eventAt = metric.labels.indexOf('event');
    for (const feed of metric.feeds) {
      const record = this.recorderOf(feed as unknown as Feed, tree, eventAt);
      const others = this.recorders.get(feed.fact);
      if (others) others.push(record);
      else this.recorders.set(feed.fact, [record]);
    }
  }

  /** @param eventAt where the event's type stands among the labels; -1 = nowhere. */
  private recorderOf({ labels, value }: Feed, tree: SeriesTree, eventAt: number): (fact: LifecycleFact) => void {
    return (fact) => {
      const amount = value ? value(fact) : 1;
      if (amount === undefined) return;
      const values = labels(fact);
      if (eventAt < 0) return tree.of(values)(amount);
      const type = values[eventAt];
      const kept = this.eventTypes.of(type);
      tree.of(kept === type ? values : values.with(eventAt, kept))(amount);
    };
  }
}

function toAll(records: readonly RecordValue[]): RecordValue {
  if (records.length === 1) return records[0];
  return (value) => {
    for (const record of records) record(value);
  };
}
