import type { NodeStatus } from '../../dispatch/node-status.js';
import type { ClusterSample } from '../../maintenance/cluster-sample.js';
import type { HandlerStats } from '../events-stats.service.js';

/** What gauges read: memory, never the database. */
export interface GaugeSource {
  readonly status: NodeStatus;
  /** Of this node. */
  readonly handlers: Readonly<Record<string, Pick<HandlerStats, 'inFlight' | 'circuit'>>>;
  /** Undefined before the first one; a node that only publishes takes none. */
  readonly sample: ClusterSample | undefined;
  /** Epoch milliseconds. */
  readonly now: number;
}

export interface GaugeReading {
  /** Values of the metric's labels, in their order. */
  readonly labels: readonly string[];
  readonly value: number;
}
