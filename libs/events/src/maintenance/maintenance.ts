import { hostname } from 'node:os';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { Clock } from '../clock/clock.js';
import { stackOf } from '../errors/stack-of.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import { EventsLogger } from '../observability/events-logger.js';
import { LogStorms } from '../observability/log-storms.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import type { HandlerBacklog, NodeRecord } from '../store/records.js';
import type { ClusterSample } from './cluster-sample.js';
import { HandlerUpkeep } from './handler-upkeep.js';

const PRUNE_EVERY_MS = 60_000;
const SAMPLE_EVERY_MS = 10_000;
const RETIRE_EVERY_MS = 60_000;
/** Rows a prune statement deletes at most. On SQLite it holds the event loop. */
const PRUNE_BATCH = 500;
/** How long a prune rests after a batch, for as long as that took. */
const REST_PER_PRUNE = 4;

interface Watch {
  beat: number;
  /** Monotonic time at which this beat was first seen. */
  since: number;
}

/**
 * Housekeeping on intervals that an operator can see in the application's SchedulerRegistry (`events:rescue`,
 * `events:prune`, `events:sample`, `events:retire`), or in one of our own when the application has none: importing the schedule module a
 * second time would make every cron of the application fire twice.
 */
@Injectable()
export class Maintenance {
  private readonly logger = new EventsLogger(Maintenance.name);
  private readonly schedulers: SchedulerRegistry;
  private readonly watched = new Map<number, Watch>();
  private readonly names: string[] = [];
  private node = 0;
  private steadySince: () => number = () => Infinity;
  private stopped = false;
  private sampled: ClusterSample | undefined;

  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: ResolvedEventsOptions,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly upkeep: HandlerUpkeep,
    private readonly lifecycle: EventLifecycle,
    private readonly storms: LogStorms,
    @Optional() schedulers?: SchedulerRegistry,
  ) {
    this.schedulers = schedulers ?? new SchedulerRegistry();
  }

  /** Backlog per handler as of the last sample. */
  get backlog(): readonly HandlerBacklog[] {
    return this.sampled?.backlog ?? [];
  }

  /** Undefined before the first one. */
  get lastSample(): ClusterSample | undefined {
    return this.sampled;
  }

  enroll(node: number): void {
    this.node = node;
  }

  /** @param steadySince monotonic time since when this node itself has beaten without a break; Infinity while it does not. */
  async start(node: number, steadySince: () => number): Promise<void> {
    this.node = node;
    this.steadySince = steadySince;
    await this.guard('rescue', () => this.rescueLocal());
    if (this.stopped) return;
    this.every('rescue', this.options.leaseMs / 6, () => this.rescue());
    this.every('prune', PRUNE_EVERY_MS, () => this.prune());
    this.every('sample', SAMPLE_EVERY_MS, () => this.sample());
    this.every('retire', Math.min(RETIRE_EVERY_MS, Math.max(1_000, this.options.retireAfterMs / 2)), () =>
      this.retire(),
    );
    await this.guard('sample', () => this.sample());
  }

  stop(): void {
    this.stopped = true;
    for (const name of this.names.splice(0)) {
      if (this.schedulers.doesExist('interval', name)) this.schedulers.deleteInterval(name);
    }
  }

  /**
   * Rescues the deliveries of nodes that have died: those whose beat has not moved while this node itself beat, without a
   * failure, for a whole lease by its own monotonic clock. Comparing a stored time with now would declare everybody dead
   * after an outage of the database or a jump of a clock.
   */
  async rescue(): Promise<void> {
    const askedAt = this.clock.monotonic();
    const nodes = await this.store.nodes();
    const answeredAt = this.clock.monotonic();
    const others = nodes.filter(({ id }) => id !== this.node);
    for (const id of this.watched.keys()) if (!others.some((other) => other.id === id)) this.watched.delete(id);
    for (const other of others) {
      const watch = this.watched.get(other.id);
      if (watch?.beat !== other.beat) {
        this.watched.set(other.id, { beat: other.beat, since: answeredAt });
        continue;
      }
      // A slow answer may be as old as the question.
      const silentMs = askedAt - Math.max(watch.since, this.steadySince());
      if (silentMs >= this.options.leaseMs) await this.bury(other, `has not beaten for ${Math.round(silentMs)} ms`);
    }
    const orphans = await this.store.rescueOrphans(this.clock.now());
    if (orphans > 0)
      this.logger.warn(`rescued ${orphans} deliveries leased to nodes that are gone`, { deliveries: orphans });
  }

  /** At boot: nodes of this host whose process is gone are rescued without waiting for their lease. */
  async rescueLocal(): Promise<void> {
    for (const node of await this.store.nodes()) {
      if (node.id !== this.node && node.host === hostname() && node.pid !== process.pid && !processLives(node.pid)) {
        await this.bury(node, `was process ${node.pid} of this host, which is gone`);
      }
    }
  }

  /** Deletes what retention no longer keeps, in small batches, a fifth of the time: the rest is everybody else's. */
  async prune(): Promise<void> {
    const now = this.clock.now();
    const { completedMs, deadMs } = this.options.retention;
    let rows = 0;
    while (!this.stopped) {
      const startedAt = this.clock.monotonic();
      const pruned = await this.store.prune({
        completedBefore: now - completedMs,
        deadBefore: now - deadMs,
        now,
        limit: PRUNE_BATCH,
      });
      rows += pruned;
      if (pruned === 0) break;
      await this.rest(REST_PER_PRUNE * (this.clock.monotonic() - startedAt));
    }
    if (rows === 0) return;
    this.logger.debug(`pruned ${rows} rows`, { fact: 'pruned', rows });
    this.lifecycle.emit({ fact: 'pruned', rows });
  }

  async sample(): Promise<void> {
    this.storms.sweep();
    const [backlog, unprocessed, nodes] = await Promise.all([
      this.store.backlog(),
      this.store.unprocessed(),
      this.store.nodes(),
    ]);
    this.sampled = { backlog, unprocessed, nodes: nodes.length };
  }

  /** Handlers that are gone for good, and what waits for them. */
  async retire(): Promise<void> {
    await this.upkeep.run(this.clock.monotonic() - this.steadySince());
  }

  private async bury(node: NodeRecord, why: string): Promise<void> {
    this.watched.delete(node.id);
    const removed = await this.store.removeNode(node.id, this.clock.now(), node.beat);
    if (!removed) return;
    const fact = { fact: 'rescued', node: String(node.id), label: node.label } as const;
    this.logger.warn(`node ${node.id} (${node.label}) ${why}: its deliveries are rescued`, fact);
    this.lifecycle.emit(fact);
  }

  private async rest(ms: number): Promise<void> {
    if (ms > 0) await new Promise<void>((resolve) => this.clock.setTimeout(resolve, ms));
  }

  private every(task: string, ms: number, run: () => Promise<void>): void {
    const name = `events:${task}`;
    let busy = false;
    const tick = async () => {
      if (busy || this.stopped) return;
      busy = true;
      await this.guard(task, run);
      busy = false;
    };
    this.schedulers.addInterval(name, setInterval(() => void tick(), ms).unref());
    this.names.push(name);
  }

  private async guard(task: string, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (!this.stopped) this.logger.error(`${task} failed and will be tried again`, { task }, stackOf(error));
    }
  }
}

/** Signal 0 checks that a process exists; EPERM means that it does, but is somebody else's. */
function processLives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
