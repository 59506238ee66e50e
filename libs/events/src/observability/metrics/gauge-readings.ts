import type { NodeStatus } from '../../dispatch/node-status.js';
import type { ClusterSample } from '../../maintenance/cluster-sample.js';
import type { CircuitState } from '../../policies/circuit-breaker.policy.js';
import type { HandlerBacklog } from '../../store/records.js';
import type { GaugeReading, GaugeSource } from './gauge-source.js';

type Read = (source: GaugeSource) => readonly GaugeReading[];

export const CIRCUIT_STATES: Readonly<Record<CircuitState, number>> = { closed: 0, open: 1, 'half-open': 2 };

export const SCHEDULER_STATES = Object.keys({
  notStarted: true,
  running: true,
  paused: true,
  draining: true,
  stopped: true,
} satisfies Record<NodeStatus, true>);

/** 0 = there is none. A clock that was set back makes no negative age. */
export function ageSeconds(since: number | null, now: number): number {
  return since === null ? 0 : Math.max(0, now - since) / 1_000;
}

/** One reading for each handler of this node. */
export function ofHandlers(value: (handler: GaugeSource['handlers'][string]) => number): Read {
  return ({ handlers }) => Object.entries(handlers).map(([name, one]) => ({ labels: [name], value: value(one) }));
}

/** One reading for the cluster, once there is a sample. */
export function ofSample(value: (sample: ClusterSample, now: number) => number): Read {
  return ({ sample, now }) => (sample ? [{ labels: [], value: value(sample, now) }] : []);
}

/** Readings of each handler of the cluster that has rows, and of this node's others, which have none. */
export function backlogReadings(readings: (backlog: HandlerBacklog, now: number) => readonly GaugeReading[]): Read {
  return ({ sample, handlers, now }) => {
    if (!sample) return [];
    const sampled = new Set(sample.backlog.map(({ handler }) => handler));
    const idle = Object.keys(handlers)
      .filter((handler) => !sampled.has(handler))
      .map((handler) => ({ handler, pending: 0, scheduled: 0, processing: 0, dead: 0, oldestPendingAt: null }));
    return [...sample.backlog, ...idle].flatMap((one) => readings(one, now));
  };
}
