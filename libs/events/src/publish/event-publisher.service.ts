import { Inject, Injectable } from '@nestjs/common';
import type { Context } from '@opentelemetry/api';
import type { EntityManager } from 'typeorm';
import type { EventInput, PublishPayload } from '../envelope/event-payload.js';
import { InvalidEventError } from '../errors/invalid-event.error.js';
import { PayloadValidationError } from '../errors/payload-validation.error.js';
import { UpcastError } from '../errors/upcast.error.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { EventTracing } from '../observability/tracing/event-tracing.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import { AmbientTransaction } from './ambient-transaction.js';
import { CommitGroups } from './commit-groups.js';
import { EventAppender } from './event-appender.js';
import { type BuiltEvent, EventBuilder } from './event-builder.js';
import { HeaderSources } from './header-sources.js';
import type { PublishOptions, PublishReceipt, PublishRequest } from './publish.types.js';

/** Publishes events into the durable inbox, inside your transaction or in one of its own. */
@Injectable()
export class EventPublisher {
  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: ResolvedEventsOptions,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly builder: EventBuilder,
    private readonly appender: EventAppender,
    private readonly groups: CommitGroups,
    private readonly ambient: AmbientTransaction,
    private readonly headers: HeaderSources,
    private readonly tracing: EventTracing,
  ) {}

  /**
   * Publishes one event. It joins, in this order: the transaction of `options.manager`; the one that
   * `publisher.transaction` or `context.transaction` has open around this call; the one that the module option
   * `currentManager` answers; else it commits on its own before the promise resolves.
   * @throws InvalidEventError, PayloadValidationError, ContextCaptureError: nothing was stored. NoTransactionError,
   * ForeignManagerError: the given manager cannot carry it.
   */
  async publish<E extends EventInput>(
    event: E,
    payload: PublishPayload<NoInfer<E>>,
    options: PublishOptions = {},
  ): Promise<PublishReceipt> {
    const trace = this.tracing.startPublish([typeOf(event)]);
    const publish = () => this.publishOne(event, payload, options, trace?.context);
    if (!trace?.span) return publish();
    const [receipt] = await trace.span.run(async () => [await publish()]);
    return receipt;
  }

  /**
   * Publishes many events, all or none, in the order given; joins a transaction as `publish` does.
   * @throws as `publish` does; `index` of the error says which event it is about.
   */
  async publishAll(
    events: readonly PublishRequest[],
    options: { manager?: EntityManager } = {},
  ): Promise<PublishReceipt[]> {
    if (events.length === 0) return [];
    const { manager } = options;
    const trace = this.tracing.startPublish(typesOf(events), events.length);
    const publish = () => this.publishList(events, manager, trace?.context);
    return trace?.span ? trace.span.run(publish) : publish();
  }

  /**
   * Runs `work` in a database transaction, in which every publish joins without naming it: business writes and events
   * commit together, or neither does. A nested call joins the outer transaction.
   */
  transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.ambient.run(work);
  }

  /** @param trace its span's, if it has one. */
  private async publishOne(
    event: EventInput,
    payload: unknown,
    options: PublishOptions,
    trace?: Context,
  ): Promise<PublishReceipt> {
    const built = await this.builder.build(event, payload, options, this.headers.ask(trace));
    const manager = this.manager(options.manager);
    if (!manager) return this.groups.append(built);
    const [receipt] = await this.append([built], manager);
    return receipt;
  }

  private async publishList(
    events: readonly PublishRequest[],
    manager: EntityManager | undefined,
    trace?: Context,
  ): Promise<PublishReceipt[]> {
    const added = this.headers.ask(trace);
    const built: BuiltEvent[] = [];
    for (const [index, { event, payload, ...rest }] of events.entries()) {
      built.push(await this.builder.build(event, payload, rest, added).catch((error: unknown) => refuse(error, index)));
    }
    return this.append(built, this.manager(manager));
  }

  private append(built: readonly BuiltEvent[], manager: EntityManager | undefined): Promise<PublishReceipt[]> {
    if (manager) this.store.checkManager(manager);
    return this.appender.append(built, { manager });
  }

  /** The transaction that a publish joins. */
  private manager(given: EntityManager | undefined): EntityManager | undefined {
    return given ?? this.ambient.manager ?? this.currentManager();
  }

  /** A manager that the application's ambient-transaction library answers counts only while its transaction is open. */
  private currentManager(): EntityManager | undefined {
    const manager = this.options.currentManager?.();
    return manager?.queryRunner?.isTransactionActive ? manager : undefined;
  }
}

/** For the name of a span; what cannot be published may have none. */
function typeOf(event: EventInput): string {
  return typeof event === 'string' ? event : event?.type;
}

function* typesOf(events: readonly PublishRequest[]): Iterable<string> {
  for (const { event } of events) yield typeOf(event);
}

/** Says which event of a list is refused. */
function refuse(error: unknown, index: number): never {
  if (error instanceof InvalidEventError || error instanceof PayloadValidationError || error instanceof UpcastError) {
    error.index = index;
    error.message += ` (event ${index} of the list)`;
  }
  throw error;
}
