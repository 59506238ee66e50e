import type { FactName, LifecycleFact } from '../lifecycle-fact.js';
import type { GaugeReading, GaugeSource } from './gauge-source.js';
import {
  ageSeconds,
  backlogReadings,
  CIRCUIT_STATES,
  ofHandlers,
  ofSample,
  SCHEDULER_STATES,
} from './gauge-readings.js';

type FactNamed<Name extends FactName> = Extract<LifecycleFact, { fact: Name }>;

interface FeedOf<Name extends FactName> {
  readonly fact: Name;
  /** Values of the metric's labels, in their order. */
  readonly labels: (fact: FactNamed<Name>) => readonly string[];
  /** What is added to a counter or observed by a histogram, in its unit; undefined = nothing. Left out: 1. */
  readonly value?: (fact: FactNamed<Name>) => number | undefined;
}

/** How one kind of fact changes a metric. */
export type MetricFeed = { [Name in FactName]: FeedOf<Name> }[FactName];

interface MetricName {
  /** Without the prefix. */
  readonly name: string;
  readonly help: string;
  /** `event` is an event's type, of which there may be any number: whoever records bounds it. All others come from code. */
  readonly labels: readonly string[];
  /** As OpenTelemetry writes units. */
  readonly unit: string;
}

export interface CounterDefinition extends MetricName {
  readonly kind: 'counter';
  readonly feeds: readonly MetricFeed[];
}

export interface HistogramDefinition extends MetricName {
  readonly kind: 'histogram';
  /** Upper bounds, ascending, without the infinite one. */
  readonly buckets: readonly number[];
  readonly feeds: readonly MetricFeed[];
}

export interface GaugeDefinition extends MetricName {
  readonly kind: 'gauge';
  /** Reads memory only: it is called by each scrape. */
  readonly read: (source: GaugeSource) => readonly GaugeReading[];
}

/** One that facts change. */
export type FactMetricDefinition = CounterDefinition | HistogramDefinition;

export type MetricDefinition = FactMetricDefinition | GaugeDefinition;

/** Of an outcome that was refused nobody knows the event any more. */
const UNKNOWN_EVENT = 'unknown';

const OUTCOMES = ['completed', 'skipped', 'retried', 'snoozed', 'dead', 'released', 'cancelled'] as const;
/** Those of handlers that ran to an end. */
const RAN = ['completed', 'retried', 'dead'] as const;

/** Of a moment that has just passed no negative time is left. */
const seconds = (ms: number) => Math.max(0, ms) / 1_000;

const RUN_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const WAIT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200];
const DELAY_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];
const STORE_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Every metric there is, for every sink. Counts are of the process; what gauges read of the database is the cluster's. */
export const METRICS: readonly MetricDefinition[] = [
  {
    name: 'published_total',
    kind: 'counter',
    help: 'Events that were committed.',
    labels: ['event'],
    unit: '{event}',
    feeds: [{ fact: 'published', labels: ({ type }) => [type], value: ({ count }) => count }],
  },
  {
    name: 'duplicates_total',
    kind: 'counter',
    help: 'Published events that were left out because the inbox knew their id.',
    labels: ['event'],
    unit: '{event}',
    feeds: [{ fact: 'duplicate', labels: ({ type }) => [type] }],
  },
  {
    name: 'unhandled_total',
    kind: 'counter',
    help: 'Events that no handler subscribes to.',
    labels: ['event'],
    unit: '{event}',
    feeds: [{ fact: 'unhandled', labels: ({ type }) => [type] }],
  },
  {
    name: 'deliveries_total',
    kind: 'counter',
    help: 'Attempts by what they came to. An outcome that is refused later is counted under lost as well, with event unknown.',
    labels: ['event', 'handler', 'outcome'],
    unit: '{attempt}',
    feeds: [
      ...OUTCOMES.map((outcome) => ({
        fact: outcome,
        labels: ({ type, handler }: FactNamed<typeof outcome>) => [type, handler, outcome],
      })),
      { fact: 'lost', labels: ({ handler }) => [UNKNOWN_EVENT, handler, 'lost'] },
    ],
  },
  {
    name: 'delivery_duration_seconds',
    kind: 'histogram',
    help: 'How long attempts took that completed, failed or died.',
    labels: ['handler', 'outcome'],
    unit: 's',
    buckets: RUN_BUCKETS,
    feeds: RAN.map((outcome) => ({
      fact: outcome,
      labels: ({ handler }: FactNamed<typeof outcome>) => [handler, outcome],
      value: ({ durationMs }: FactNamed<typeof outcome>) => seconds(durationMs),
    })),
  },
  {
    name: 'delivery_wait_seconds',
    kind: 'histogram',
    help: 'From when a delivery was due until its attempt began.',
    labels: ['handler'],
    unit: 's',
    buckets: WAIT_BUCKETS,
    feeds: [{ fact: 'started', labels: ({ handler }) => [handler], value: ({ waitMs }) => seconds(waitMs) }],
  },
  {
    name: 'retries_total',
    kind: 'counter',
    help: 'Attempts that failed and will be tried again.',
    labels: ['event', 'handler'],
    unit: '{attempt}',
    feeds: [{ fact: 'retried', labels: ({ type, handler }) => [type, handler] }],
  },
  {
    name: 'retry_delay_seconds',
    kind: 'histogram',
    help: 'How long failed deliveries wait for their next attempt.',
    labels: ['handler'],
    unit: 's',
    buckets: DELAY_BUCKETS,
    feeds: [{ fact: 'retried', labels: ({ handler }) => [handler], value: ({ delayMs }) => seconds(delayMs) }],
  },
  {
    name: 'dead_letters_total',
    kind: 'counter',
    help: 'Deliveries that died on this node, by reason.',
    labels: ['handler', 'reason'],
    unit: '{delivery}',
    feeds: [{ fact: 'dead', labels: ({ handler, reason }) => [handler, reason] }],
  },
  {
    name: 'rate_limited_total',
    kind: 'counter',
    help: 'Deliveries put off by the rate limit of their handler.',
    labels: ['handler'],
    unit: '{delivery}',
    feeds: [
      {
        fact: 'snoozed',
        labels: ({ handler }) => [handler],
        value: ({ reason }) => (reason === 'rate-limited' ? 1 : undefined),
      },
    ],
  },
  {
    name: 'idempotency_duplicates_total',
    kind: 'counter',
    help: 'Deliveries whose idempotency key was completed before, or is being processed by another.',
    labels: ['handler', 'reason'],
    unit: '{delivery}',
    feeds: [
      { fact: 'skipped', labels: ({ handler }) => [handler, 'completed'] },
      {
        fact: 'snoozed',
        labels: ({ handler }) => [handler, 'processing'],
        value: ({ reason }) => (reason === 'key-busy' ? 1 : undefined),
      },
    ],
  },
  {
    name: 'circuit_state',
    kind: 'gauge',
    help: 'Circuit of a handler: 0 closed, 1 open, 2 half-open.',
    labels: ['handler'],
    unit: '{state}',
    read: ofHandlers(({ circuit }) => CIRCUIT_STATES[circuit]),
  },
  {
    name: 'circuit_transitions_total',
    kind: 'counter',
    help: 'Changes of a circuit that this node has learned of.',
    labels: ['handler', 'to'],
    unit: '{change}',
    feeds: [{ fact: 'circuit', labels: ({ handler, to }) => [handler, to] }],
  },
  {
    name: 'in_flight',
    kind: 'gauge',
    help: 'Attempts running on this node.',
    labels: ['handler'],
    unit: '{attempt}',
    read: ofHandlers(({ inFlight }) => inFlight),
  },
  {
    name: 'backlog',
    kind: 'gauge',
    help: 'Live deliveries of the cluster: pending, scheduled for later, or processing. As of the last sample.',
    labels: ['handler', 'state'],
    unit: '{delivery}',
    read: backlogReadings((one) => [
      { labels: [one.handler, 'pending'], value: one.pending },
      { labels: [one.handler, 'scheduled'], value: one.scheduled },
      { labels: [one.handler, 'processing'], value: one.processing },
    ]),
  },
  {
    name: 'oldest_pending_age_seconds',
    kind: 'gauge',
    help: 'Age of the oldest event with a pending delivery in the cluster; 0 when none is pending. As of the last sample.',
    labels: ['handler'],
    unit: 's',
    read: backlogReadings((one, now) => [{ labels: [one.handler], value: ageSeconds(one.oldestPendingAt, now) }]),
  },
  {
    name: 'inbox_unprocessed',
    kind: 'gauge',
    help: 'Events of the cluster that are not fanned out yet. As of the last sample.',
    labels: [],
    unit: '{event}',
    read: ofSample(({ unprocessed }) => unprocessed.count),
  },
  {
    name: 'inbox_unprocessed_age_seconds',
    kind: 'gauge',
    help: 'Age of the oldest of them; 0 when there are none.',
    labels: [],
    unit: 's',
    read: ofSample(({ unprocessed }, now) => ageSeconds(unprocessed.oldestReceivedAt, now)),
  },
  {
    name: 'dead_letters',
    kind: 'gauge',
    help: 'Dead letters of the cluster. As of the last sample.',
    labels: ['handler'],
    unit: '{delivery}',
    read: backlogReadings((one) => [{ labels: [one.handler], value: one.dead }]),
  },
  {
    name: 'store_duration_seconds',
    kind: 'histogram',
    help: 'How long calls of the store took, failed ones too.',
    labels: ['verb'],
    unit: 's',
    buckets: STORE_BUCKETS,
    feeds: [{ fact: 'storeCall', labels: ({ verb }) => [verb], value: ({ durationMs }) => seconds(durationMs) }],
  },
  {
    name: 'store_errors_total',
    kind: 'counter',
    help: 'Calls of the store that failed.',
    labels: ['verb'],
    unit: '{call}',
    feeds: [{ fact: 'storeCall', labels: ({ verb }) => [verb], value: (fact) => ('error' in fact ? 1 : undefined) }],
  },
  {
    name: 'scheduler_state',
    kind: 'gauge',
    help: '1 for the state that this node is in, 0 for the others.',
    labels: ['state'],
    unit: '{state}',
    read: ({ status }) => SCHEDULER_STATES.map((state) => ({ labels: [state], value: state === status ? 1 : 0 })),
  },
  {
    name: 'nodes',
    kind: 'gauge',
    help: 'Nodes of the cluster that have handlers and live. As of the last sample.',
    labels: [],
    unit: '{node}',
    read: ofSample(({ nodes }) => nodes),
  },
];
