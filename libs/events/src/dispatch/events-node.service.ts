import { hostname } from 'node:os';
import { Inject, Injectable } from '@nestjs/common';
import { Clock, type TimerHandle } from '../clock/clock.js';
import { ClusterRegistry } from '../discovery/cluster-registry.js';
import { HandlerRegistry } from '../discovery/handler.registry.js';
import { stackOf } from '../errors/stack-of.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { Maintenance } from '../maintenance/maintenance.js';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import { EventsLogger } from '../observability/events-logger.js';
import { LogStorms } from '../observability/log-storms.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import { EventExecutor } from './event-executor.js';
import { adjustClock, Heartbeat } from './heartbeat.js';
import type { NodeStatus } from './node-status.js';
import { WorkLoops } from './work-loops.js';
import { WorkSignal } from './work-signal.js';

/** This process as a member of the cluster: enters, beats, works, pauses, and leaves with nothing left behind. */
@Injectable()
export class EventsNode {
  private readonly logger = new EventsLogger(EventsNode.name);
  private readonly heartbeat: Heartbeat;
  private node = 0;
  private current: NodeStatus = 'notStarted';
  private enrolling: Promise<void> | undefined;

  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: ResolvedEventsOptions,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly handlers: HandlerRegistry,
    private readonly registry: ClusterRegistry,
    private readonly executor: EventExecutor,
    private readonly loops: WorkLoops,
    private readonly maintenance: Maintenance,
    private readonly signal: WorkSignal,
    private readonly lifecycle: EventLifecycle,
    private readonly storms: LogStorms,
  ) {
    this.heartbeat = new Heartbeat({
      store,
      clock,
      logger: this.logger,
      leaseMs: options.leaseMs,
      leases: () => this.executor.leases,
      onLost: ({ id, claims }) => this.executor.abort(id, 'lease-lost', claims),
      onEvicted: () => this.reenroll(),
      onUnconfirmed: () => {
        const { leaseMs } = options;
        this.logger.error('no heartbeat was confirmed for almost a lease: running handlers are aborted', { leaseMs });
        this.executor.forsake();
      },
      onConfirmed: () => {
        this.executor.enroll(this.node);
        this.loops.wakeExecutor();
      },
    });
  }

  /** New at each start (and after an eviction); empty before. */
  get id(): string {
    return this.node === 0 ? '' : String(this.node);
  }

  get status(): NodeStatus {
    return this.current;
  }

  /** A loop hangs, or no beat gets through. */
  get stalled(): boolean {
    return this.works && (this.loops.stalled || (this.heartbeatAgeMs ?? 0) > this.options.leaseMs);
  }

  /**
   * A loop has not turned for more than a minute in which all beats got through: it does not wait for a database that is
   * away, and nothing but a restart will help.
   */
  get hangs(): boolean {
    return this.works && this.loops.hangsSince(this.heartbeat.steadySince);
  }

  /** Milliseconds since the last confirmed heartbeat was sent; null before the first, and for a node that only publishes. */
  get heartbeatAgeMs(): number | null {
    return this.node === 0 ? null : Math.round(this.clock.monotonic() - this.heartbeat.lastConfirmedAt);
  }

  private get works(): boolean {
    return this.current === 'running' && this.options.handlers;
  }

  /** Enters the cluster and announces the handlers: from the commit of this on, events are delivered to them. */
  async enroll(): Promise<void> {
    await adjustClock(this.store, this.clock);
    if (this.options.handlers) {
      this.executor.prepare(
        this.handlers.all(),
        () => this.loops.wakeExecutor(),
        () =>
          void this.reenroll().catch((error: unknown) =>
            this.logger.error('could not register anew', { node: this.node }, stackOf(error)),
          ),
      );
      await this.register();
      this.warnOfAbsentHandlers();
    } else await this.registry.refresh();
  }

  /** Starts the work; everything that handlers may need is up by now. */
  async start(): Promise<void> {
    if (this.current !== 'notStarted') return;
    this.become('running');
    if (!this.options.handlers) return;
    await this.maintenance.start(this.node, () => this.heartbeat.steadySince);
    if (this.leaving) return;
    this.signal.listen((work) => this.loops.notice(work));
    this.store.listen((topic) => (topic === 'work' ? this.loops.hear() : this.loops.notice({ handlers: true })));
    this.executor.unhold();
    this.loops.start();
  }

  /** Stops claiming on this node; what runs, runs on, what has not begun is given back. */
  pause(): Promise<void> {
    if (this.current === 'running') {
      this.become('paused');
      this.loops.pause();
      this.executor.hold();
    }
    return Promise.resolve();
  }

  resume(): Promise<void> {
    if (this.current === 'paused') {
      this.become('running');
      this.executor.unhold();
      this.loops.resume();
    }
    return Promise.resolve();
  }

  /** Leaves: no more claims, running handlers get `shutdownTimeout` to end, all outcomes are written, the beat last. */
  async drain(): Promise<void> {
    if (this.leaving) return;
    const enrolled = this.node !== 0;
    this.become('draining');
    this.maintenance.stop();
    if (enrolled && !(await this.inTime(this.finish()))) {
      this.logger.error(
        'the database did not answer for a whole lease: what could not be written is rescued by others',
        { node: this.node, leaseMs: this.options.leaseMs },
      );
      this.executor.close();
      void this.heartbeat.stop();
    }
    this.signal.close();
    this.storms.close();
    this.become('stopped');
  }

  private become(status: NodeStatus): void {
    this.current = status;
    this.lifecycle.emit({ fact: 'scheduler', state: status });
  }

  private get leaving(): boolean {
    return this.current === 'draining' || this.current === 'stopped';
  }

  private async finish(): Promise<void> {
    const stopping = this.loops.stop();
    await this.enrolling?.catch(() => undefined);
    await this.executor.drain(this.options.shutdownTimeoutMs);
    await stopping;
    // A claim that was under way while the drain began has given its deliveries back by now.
    await this.executor.drain(0);
    await this.heartbeat.stop();
    await this.leave();
  }

  /** False when `work` takes longer than a lease: then the leases are others' anyway, and waiting on helps nobody. */
  private async inTime(work: Promise<void>): Promise<boolean> {
    let timer: TimerHandle;
    const late = new Promise<false>((resolve) => {
      timer = this.clock.setTimeout(() => resolve(false), this.options.leaseMs);
    });
    try {
      return await Promise.race([work.then(() => true), late]);
    } finally {
      this.clock.clearTimeout(timer);
    }
  }

  private async leave(): Promise<void> {
    try {
      await this.store.removeNode(this.node, this.clock.now());
    } catch (error) {
      // The row stays, and others rescue it when its lease has passed.
      this.logger.warn(`could not sign off node ${this.node}: ${String(error)}`, { node: this.node });
    }
  }

  private async register(): Promise<void> {
    const { nodeId: label } = this.options;
    const now = this.clock.now();
    const node = await this.store.registerNode({ label, host: hostname(), pid: process.pid }, now);
    const registrations = this.handlers.all().map(({ name, patterns, options }) => ({
      name,
      patterns,
      priority: options.priority,
      ordered: options.ordering !== false,
      onDeadLetter: options.ordering ? options.ordering.onDeadLetter : ('block' as const),
      aliases: options.aliases,
    }));
    await this.store.registerHandlers(node, registrations, now);
    await this.registry.refresh();
    // Before the first claim: a circuit that was open when the cluster stopped is open now.
    this.executor.learn(await this.store.handlerStates());
    // Only now: had a step failed, the next try would need a node whose row is gone to be told so again.
    this.node = node;
    this.executor.enroll(node);
    this.maintenance.enroll(node);
    if (this.current === 'notStarted') this.heartbeat.start(this.node);
    else this.heartbeat.enroll(this.node);
  }

  /** Declared dead while alive (a long pause, a database outage): drop everything, come back as a new node. */
  private reenroll(): Promise<void> {
    if (this.leaving) return Promise.resolve();
    this.enrolling ??= (async () => {
      this.logger.warn(
        `node ${this.node} was declared dead by another; its deliveries were rescued; registering anew`,
        {
          node: this.node,
        },
      );
      this.executor.forsake();
      await this.register();
      this.loops.wakeExecutor();
    })().finally(() => (this.enrolling = undefined));
    return this.enrolling;
  }

  private warnOfAbsentHandlers(): void {
    const absent = this.registry.handlers.map(({ name }) => name).filter((name) => !this.handlers.get(name));
    if (absent.length > 0) {
      this.logger.warn(
        `handlers known to the cluster but not to this node (their deliveries wait for a node that has them): ${absent.join(', ')}`,
        { handlers: absent },
      );
    }
  }
}
