import { Injectable } from '@nestjs/common';
import { Clock } from '../clock/clock.js';
import { HandlerRegistry } from '../discovery/handler.registry.js';
import { EventExecutor } from '../dispatch/event-executor.js';
import { handlerHealth, nodeHealth, type HealthState } from '../health/health-state.js';
import { Maintenance } from '../maintenance/maintenance.js';
import type { CircuitState } from '../policies/circuit-breaker.policy.js';
import { Activity } from './activity.js';

/** Counts are of this process since it started; backlog is the cluster's, as of the last sample (every 10 s). */
export interface StatsCounts {
  /** Attempts running now. */
  inFlight: number;
  /** Attempts that ended: completed + failed. */
  processed: number;
  completed: number;
  retried: number;
  /** Attempts that failed, retried or not. */
  failed: number;
  dead: number;
  snoozed: number;
  /** Deliveries that found their idempotency key completed: the handler did not run. */
  duplicates: number;
  lost: number;
  /** Timed-out or aborted runs that still go on. */
  leaked: number;
  circuitOpened: number;
  /** Deliveries waiting to be claimed, or for their time. */
  backlog: number;
  /** Age of the oldest pending delivery; null when none waits. */
  oldestPendingMs: number | null;
}

export interface HandlerStats extends StatsCounts {
  circuit: CircuitState;
  /** On all nodes, by an operator. */
  paused: boolean;
  health: HealthState;
}

export interface StatsSnapshot {
  handlers: Record<string, HandlerStats>;
  total: StatsCounts & { health: HealthState };
}

/** Of a handler's activity as they are. */
const COUNTED = [
  'inFlight',
  'processed',
  'completed',
  'retried',
  'failed',
  'dead',
  'snoozed',
  'duplicates',
  'lost',
  'leaked',
  'circuitOpened',
] as const;
const SUMMED = [...COUNTED, 'backlog'] as const;

/** Numbers of this node, per handler and in total. Reads memory only. */
@Injectable()
export class EventsStats {
  constructor(
    private readonly handlers: HandlerRegistry,
    private readonly activity: Activity,
    private readonly executor: EventExecutor,
    private readonly maintenance: Maintenance,
    private readonly clock: Clock,
  ) {}

  snapshot(): StatsSnapshot {
    const handlers = Object.fromEntries(this.handlers.all().map(({ name }) => [name, this.of(name)]));
    const all = Object.values(handlers);
    const total = Object.fromEntries(SUMMED.map((key) => [key, all.reduce((sum, one) => sum + one[key], 0)])) as Omit<
      StatsCounts,
      'oldestPendingMs'
    >;
    const ages = all.flatMap(({ oldestPendingMs }) => oldestPendingMs ?? []);
    const oldestPendingMs = ages.length > 0 ? Math.max(...ages) : null;
    return { handlers, total: { ...total, oldestPendingMs, health: nodeHealth(all.map(({ health }) => health)) } };
  }

  private of(name: string): HandlerStats {
    const activity = this.activity.of(name);
    const counts = Object.fromEntries(COUNTED.map((key) => [key, activity[key]])) as Pick<
      StatsCounts,
      (typeof COUNTED)[number]
    >;
    const { circuit, paused } = this.executor.stateOf(name);
    const sample = this.maintenance.backlog.find(({ handler }) => handler === name);
    return {
      ...counts,
      backlog: sample ? sample.pending + sample.scheduled : 0,
      oldestPendingMs: sample?.oldestPendingAt == null ? null : Math.max(0, this.clock.now() - sample.oldestPendingAt),
      circuit,
      paused,
      health: handlerHealth({ circuit, failing: activity.failing, paused }),
    };
  }
}
