import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Clock } from '../clock/clock.js';
import { ClusterRegistry } from '../discovery/cluster-registry.js';
import { WorkSignal } from '../dispatch/work-signal.js';
import type { EventInput, PublishPayload } from '../envelope/event-payload.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { UnhandledEvents } from '../observability/unhandled-events.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import type { NewEvent } from '../store/records.js';
import { AmbientTransaction } from './ambient-transaction.js';
import { type BuiltEvent, EventBuilder } from './event-builder.js';
import type { PublishOptions, PublishReceipt, PublishRequest } from './publish.types.js';

/** Publishes events into the durable inbox, inside your transaction or in one of its own. */
@Injectable()
export class EventPublisher {
  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: ResolvedEventsOptions,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly builder: EventBuilder,
    private readonly registry: ClusterRegistry,
    private readonly ambient: AmbientTransaction,
    private readonly signal: WorkSignal,
    private readonly unhandled: UnhandledEvents,
  ) {}

  /**
   * Publishes one event. It joins, in this order: the transaction of `options.manager`; the one that
   * `publisher.transaction` or `context.transaction` has open around this call; the one that the module option
   * `currentManager` answers; else it commits on its own before the promise resolves.
   * @throws InvalidEventError, PayloadValidationError: nothing was stored. NoTransactionError, ForeignManagerError: the
   * given manager cannot carry it.
   */
  async publish<E extends EventInput>(
    event: E,
    payload: PublishPayload<NoInfer<E>>,
    options: PublishOptions = {},
  ): Promise<PublishReceipt> {
    const built = await this.builder.build(event, payload, options);
    const [receipt] = await this.append([built], options.manager);
    return receipt;
  }

  /** Publishes many events, all or none, in the order given; joins a transaction as `publish` does. */
  async publishAll(
    events: readonly PublishRequest[],
    options: { manager?: EntityManager } = {},
  ): Promise<PublishReceipt[]> {
    const built: BuiltEvent[] = [];
    for (const { event, payload, ...rest } of events) built.push(await this.builder.build(event, payload, rest));
    return built.length === 0 ? [] : this.append(built, options.manager);
  }

  /**
   * Runs `work` in a database transaction, in which every publish joins without naming it: business writes and events
   * commit together, or neither does. A nested call joins the outer transaction.
   */
  transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.ambient.run(work);
  }

  private async append(built: readonly BuiltEvent[], given: EntityManager | undefined): Promise<PublishReceipt[]> {
    const manager = given ?? this.ambient.manager ?? this.currentManager();
    if (manager) this.store.checkManager(manager);
    const { registry } = this;
    // In one go with the version they are of: a newer version on older deliveries would leave out a new handler for good.
    const events = built.map((event) => ({ ...event, deliveries: registry.deliveriesOf(event) }));
    const request = { events, registryVersion: registry.version, now: this.clock.now() };
    const result = await this.store.append(request, manager);
    // Behind, so the processor owes these a detour, but not the next; a publisher-only node learns of new handlers by this.
    // Before the first load a copy must stay behind: this node's own handlers are to come.
    if (!result.fannedOut && registry.version >= 0) registry.refresh().catch(() => {});
    const committed = () => this.committed(events, result.stored, result.fannedOut);
    if (manager) this.store.afterCommit(manager, committed);
    else committed();
    return events.map(({ id }, index) => ({ id, duplicate: !result.stored[index] }));
  }

  /** A manager that the application's ambient-transaction library answers counts only while its transaction is open. */
  private currentManager(): EntityManager | undefined {
    const manager = this.options.currentManager?.();
    return manager?.queryRunner?.isTransactionActive ? manager : undefined;
  }

  private committed(events: readonly NewEvent[], stored: readonly boolean[], fannedOut: boolean): void {
    let dueAt = Infinity;
    let any = false;
    events.forEach((event, index) => {
      if (!stored[index]) return;
      if (fannedOut && event.deliveries.length === 0) {
        this.unhandled.note(event.type);
        return;
      }
      any = true;
      dueAt = Math.min(dueAt, event.availableAt ?? 0);
    });
    if (any) this.signal.raise({ raw: !fannedOut, dueAt });
  }
}
