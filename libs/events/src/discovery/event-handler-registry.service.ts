import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../clock/clock.js';
import { WorkSignal } from '../dispatch/work-signal.js';
import { UnknownHandlerError } from '../errors/unknown-handler.error.js';
import { HandlerUpkeep } from '../maintenance/handler-upkeep.js';
import { nearestName } from '../nearest-name.js';
import type { CircuitState } from '../policies/circuit-breaker.policy.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import type { HandlerRecord } from '../store/handler.store.js';
import type { HandlerBacklog } from '../store/records.js';
import { HandlerRegistry } from './handler.registry.js';
import type { ResolvedHandlerOptions } from './on-event.options.js';

/** A handler of the cluster. */
export interface HandlerInfo {
  readonly name: string;
  /** Event-type patterns, over all nodes that have it. */
  readonly patterns: readonly string[];
  readonly priority: number;
  /** As resolved on this node; absent when this node does not have it. Durations in milliseconds. */
  readonly options?: ResolvedHandlerOptions;
  /** On all nodes. */
  readonly paused: boolean;
  readonly circuit: {
    readonly state: CircuitState;
    /** Since when it is open. */
    readonly openedAt?: Date;
    /** Trials that have succeeded while half-open. */
    readonly successes: number;
  };
  /** Live nodes that have it. When there are none, its deliveries wait. */
  readonly nodes: readonly { readonly id: string; readonly label: string }[];
  readonly backlog: {
    readonly pending: number;
    readonly scheduled: number;
    readonly processing: number;
    readonly dead: number;
    /** When the oldest event with a pending delivery came in. */
    readonly oldestPendingAt?: Date;
  };
  readonly firstSeen: Date;
  /** When a live node was last known to have it. */
  readonly lastSeen: Date;
  readonly retiredAt?: Date;
}

/** The handlers of the whole cluster: what they are, and the operator's levers. */
@Injectable()
export class EventHandlerRegistry {
  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly handlers: HandlerRegistry,
    private readonly signal: WorkSignal,
    private readonly upkeep: HandlerUpkeep,
  ) {}

  /** All handlers that the cluster knows, retired ones too, by name. */
  async list(): Promise<HandlerInfo[]> {
    const [records, backlogs] = await Promise.all([this.store.listHandlers(), this.store.backlog()]);
    const byName = new Map(backlogs.map((backlog) => [backlog.handler, backlog]));
    return records.map((record) => this.infoOf(record, byName.get(record.name)));
  }

  /** Null = the cluster knows no such handler. */
  async get(name: string): Promise<HandlerInfo | null> {
    return (await this.list()).find((handler) => handler.name === name) ?? null;
  }

  /**
   * Stops a handler on all nodes: nothing more of it is claimed, what runs ends as usual, what comes waits. Survives
   * restarts, until `resume`.
   * @throws UnknownHandlerError
   */
  async pause(name: string): Promise<void> {
    await this.setPaused(name, true);
  }

  /** @throws UnknownHandlerError */
  async resume(name: string): Promise<void> {
    await this.setPaused(name, false);
  }

  /**
   * Ends a handler's subscription: it gets nothing new, and its waiting deliveries become dead letters, reason `expired`.
   * A node that starts with it brings it back (not its dead letters: redrive those).
   * @throws UnknownHandlerError
   */
  async retire(name: string): Promise<void> {
    if (!(await this.store.retire(name, this.clock.now())) && !(await this.get(name))) await this.unknown(name);
    await this.upkeep.expire();
    this.signal.handlersChanged();
    this.signal.raise({ raw: true });
  }

  private async setPaused(name: string, paused: boolean): Promise<void> {
    if (!(await this.store.setPaused(name, paused))) await this.unknown(name);
    this.signal.handlersChanged();
  }

  private async unknown(name: string): Promise<never> {
    const names = (await this.store.listHandlers()).map((handler) => handler.name);
    throw new UnknownHandlerError(name, nearestName(name, names));
  }

  private infoOf(record: HandlerRecord, backlog: HandlerBacklog | undefined): HandlerInfo {
    const { name, patterns, priority, paused, circuit, nodes, firstSeen, lastSeen, retiredAt } = record;
    const options = this.handlers.get(name)?.options;
    const { pending = 0, scheduled = 0, processing = 0, dead = 0, oldestPendingAt = null } = backlog ?? {};
    return {
      name,
      patterns,
      priority,
      ...(options && { options }),
      paused,
      circuit: {
        state: circuit.state,
        ...(circuit.openedAt !== null && { openedAt: new Date(circuit.openedAt) }),
        successes: circuit.successes,
      },
      nodes: nodes.map(({ id, label }) => ({ id: String(id), label })),
      backlog: {
        pending,
        scheduled,
        processing,
        dead,
        ...(oldestPendingAt !== null && { oldestPendingAt: new Date(oldestPendingAt) }),
      },
      firstSeen: new Date(firstSeen),
      lastSeen: new Date(lastSeen),
      ...(retiredAt !== null && { retiredAt: new Date(retiredAt) }),
    };
  }
}
