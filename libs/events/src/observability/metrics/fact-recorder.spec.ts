/** Scope: how facts become what is counted, apart from which metrics there are. */
import { describe, expect, it } from 'vitest';
import type { LifecycleFact } from '../lifecycle-fact.js';
import { FactRecorder } from './fact-recorder.js';
import type { FactMetricDefinition } from './metric-definitions.js';
import type { MetricSink } from './metric-sink.js';

/** A sink that remembers, and how often it was asked for a series. */
function newSink() {
  const totals = new Map<string, number>();
  let made = 0;
  const sink: MetricSink = {
    factMetric: ({ name, labels: names }: FactMetricDefinition) => {
      return (labels) => {
        made++;
        expect(labels).toHaveLength(names.length);
        const series = `${name} ${labels.join(' ')}`;
        return (value) => void totals.set(series, (totals.get(series) ?? 0) + value);
      };
    },
    gauge: () => undefined,
    close: () => undefined,
  };
  const of = (name: string) =>
    [...totals].filter(([series]) => series.startsWith(`${name} `)).map(([series, total]) => `${series}: ${total}`);
  return { sink, of, made: () => made };
}

const published = (type: string, count = 1): LifecycleFact => ({ fact: 'published', type, count });
const labels = { handler: 'h', type: 'a.b', eventId: 'e', deliveryId: '1', attempt: 1 };

describe('facts', () => {
  it('are added up in every sink, and each series is made once', () => {
    const [one, other] = [newSink(), newSink()];
    const { record } = new FactRecorder([one.sink, other.sink]);
    for (const fact of [published('a.b', 3), published('c.d'), published('a.b', 4)]) record(fact);
    for (const { of, made } of [one, other]) {
      expect(of('published_total')).toEqual(['published_total a.b: 7', 'published_total c.d: 1']);
      expect(made()).toBe(2);
    }
  });

  it('that no metric wants are passed over', () => {
    const { sink, made } = newSink();
    new FactRecorder([sink]).record({ fact: 'pruned', rows: 1 });
    expect(made()).toBe(0);
  });

  it('of a moment that is just over add no negative time', () => {
    const { sink, of } = newSink();
    new FactRecorder([sink]).record({ ...labels, fact: 'retried', durationMs: 1_500, delayMs: -1, error: 'Error' });
    expect(of('retry_delay_seconds')).toEqual(['retry_delay_seconds h: 0']);
    expect(of('delivery_duration_seconds')).toEqual(['delivery_duration_seconds h retried: 1.5']);
  });
});

describe('event types', () => {
  it('are told apart up to 200, over all metrics; the rest is "other"', () => {
    const { sink, of } = newSink();
    const { record } = new FactRecorder([sink]);
    for (let n = 0; n < 1_000; n++) {
      record(published(`type.${n}`));
      record({ fact: 'unhandled', type: `type.${n}` });
    }
    record(published('type.0'));
    record({ ...labels, fact: 'completed', type: 'type.999', durationMs: 1 });
    for (const [name, first] of [['published_total', 2] as const, ['unhandled_total', 1] as const]) {
      const series = of(name);
      expect(series).toHaveLength(201);
      expect([series[0], series[199], series[200]]).toEqual([
        `${name} type.0: ${first}`,
        `${name} type.199: 1`,
        `${name} other: 800`,
      ]);
    }
    expect(of('deliveries_total')).toEqual(['deliveries_total other h completed: 1']);
  });
});
