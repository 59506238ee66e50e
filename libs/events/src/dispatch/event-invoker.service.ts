import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Clock } from '../clock/clock.js';
import type { HandlerDefinition } from '../discovery/handler-definition.js';
import { HandlerRegistry } from '../discovery/handler.registry.js';
import { findProvided } from '../discovery/provided-class.js';
import { DeliveredEvent } from '../envelope/delivered-event.js';
import type { EventInput, PublishPayload } from '../envelope/event-payload.js';
import { UnknownHandlerError } from '../errors/unknown-handler.error.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { AttemptContext } from '../invoke/attempt-context.js';
import { Attempt } from '../invoke/attempt.js';
import { callHandler } from '../invoke/call-handler.js';
import type { ChainLink } from '../invoke/chain-link.js';
import { chainLinks } from '../invoke/chain.js';
import { Circuits } from '../invoke/circuits.js';
import { compose } from '../invoke/compose.js';
import { CurrentAttempt } from '../invoke/current-attempt.js';
import { Deadlines } from '../invoke/deadlines.js';
import { RateLimits } from '../invoke/rate-limits.js';
import { nearestName } from '../nearest-name.js';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import { Activity } from '../observability/activity.js';
import { EventsLogger } from '../observability/events-logger.js';
import { EventTracing } from '../observability/tracing/event-tracing.js';
import { RetryPolicy } from '../policies/retry.policy.js';
import { AmbientTransaction } from '../publish/ambient-transaction.js';
import { EventBuilder } from '../publish/event-builder.js';
import { HeaderSources } from '../publish/header-sources.js';
import type { PublishOptions } from '../publish/publish.types.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import type { ClaimedDelivery, DeadReason } from '../store/records.js';
import { judgeAttempt, toSettlement } from './judge-attempt.js';

/** How to call a handler; all optional. */
export interface InvokeOptions extends Pick<
  PublishOptions,
  'id' | 'version' | 'headers' | 'occurredAt' | 'orderingKey' | 'priority'
> {
  /** Which attempt it is, from 1. Default 1. */
  attempt?: number;
}

/** What a direct call came to. */
export interface InvocationResult {
  /** `retry` and `snoozed`: it would run again at `availableAt`; `dead`: it would be a dead letter. */
  readonly outcome: 'completed' | 'duplicate' | 'retry' | 'snoozed' | 'dead' | 'released';
  readonly availableAt?: Date;
  readonly reason?: DeadReason;
  /** What the chain threw, if it threw: the handler's own error, or why it was refused. */
  readonly error?: unknown;
  readonly durationMs: number;
  /** The links of the chain as they were entered (`> circuit`) and left (`< circuit`); `handler` is the innermost. */
  readonly trace: readonly string[];
}

/** Labels what the calls leave in errors' records. */
const NODE = 'direct call';

/**
 * Calls a handler directly, through the whole invoker chain, without inbox, delivery or retry: for tests and tools. Limits,
 * idempotency keys and circuits are of this service's own, in memory, and live from call to call; the application's are
 * not touched. `context.transaction` opens a real transaction, in which nothing of the library is written.
 */
@Injectable()
export class EventInvoker implements OnModuleDestroy {
  private readonly logger = new EventsLogger(EventInvoker.name);
  private readonly state: MemoryStore;
  private readonly deadlines: Deadlines;
  private prepared:
    { readonly node: number; readonly circuits: Circuits; readonly links: readonly ChainLink[] } | undefined;

  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: ResolvedEventsOptions,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly builder: EventBuilder,
    private readonly headers: HeaderSources,
    private readonly tracing: EventTracing,
    private readonly current: CurrentAttempt,
    private readonly handlers: HandlerRegistry,
    private readonly ambient: AmbientTransaction,
    private readonly modules: ModuleRef,
  ) {
    this.state = new MemoryStore(clock);
    this.deadlines = new Deadlines(clock);
  }

  onModuleDestroy(): void {
    this.deadlines.close();
  }

  /**
   * Runs one attempt of a handler of this node, and answers what it came to; an error of the handler does not reject.
   * @throws UnknownHandlerError; InvalidEventError, PayloadValidationError and ContextCaptureError as `publish` does.
   */
  async invoke<E extends EventInput>(
    handler: string,
    event: E,
    payload: PublishPayload<NoInfer<E>>,
    options: InvokeOptions = {},
  ): Promise<InvocationResult> {
    const definition = this.handlers.get(handler);
    if (!definition) {
      const names = this.handlers.all().map(({ name }) => name);
      throw new UnknownHandlerError(handler, nearestName(handler, names));
    }
    const { attempt = 1, ...rest } = options;
    const built = await this.builder.build(event, payload, rest, this.headers.ask());
    const { node, circuits, links } = await this.prepare();
    await circuits.carryOutDue();
    const { version } = await this.state.loadRegistry();
    const deliveries = [{ handler, priority: definition.options.priority, orderingKey: null }];
    await this.state.append({ events: [{ ...built, deliveries }], registryVersion: version, now: this.clock.now() });
    const [claimed] =
      (await this.state.claim({ node, wants: [{ handler, limit: 1 }], limit: 1, suspect: false })) ?? [];
    if (!claimed) throw new Error(`event ${built.id} has been passed to ${handler} before`);
    return this.run(definition, { ...claimed, attempts: attempt - 1 }, links, node);
  }

  private async run(
    handler: HandlerDefinition,
    delivery: ClaimedDelivery,
    links: readonly ChainLink[],
    node: number,
  ): Promise<InvocationResult> {
    const { clock, store, ambient } = this;
    const attempt = new Attempt(
      new DeliveredEvent(delivery.event),
      handler,
      delivery,
      this.prepared?.circuits.get(handler.name)?.epoch,
    );
    attempt.context = new AttemptContext(attempt, {
      transactions: store,
      ambient,
      clock,
      settleIn: () => Promise.resolve(true),
    });
    const trace: string[] = [];
    const startedAt = clock.monotonic();
    let error: { thrown: unknown } | undefined;
    try {
      await compose(
        links.map((link) => traced(link, trace)),
        async (attempt) => {
          trace.push('handler');
          await callHandler(attempt, this.current);
        },
      )(attempt);
    } catch (thrown) {
      error = { thrown };
    }
    const durationMs = Math.max(0, Math.round(clock.monotonic() - startedAt));
    const retry = new RetryPolicy(handler.options.retry, Math.random);
    const judged = judgeAttempt(attempt, error, { retry, now: clock.now(), durationMs, node: NODE });
    // What context.transaction has completed is complete, and nobody else can have taken or cancelled it.
    const outcome =
      judged.outcome === 'written' ? { outcome: 'completed' as const, attempts: attempt.attempt, durationMs } : judged;
    attempt.span?.end(judged, error);
    const settlement = toSettlement(attempt, outcome, clock.now());
    if (settlement) await this.state.settle(node, [settlement], clock.now());
    await this.forget(delivery.id);
    return {
      outcome: settlement?.outcome === 'cancelled' ? 'released' : (settlement?.outcome ?? 'released'),
      ...('availableAt' in outcome && { availableAt: new Date(outcome.availableAt) }),
      ...('reason' in outcome && { reason: outcome.reason }),
      ...(error && { error: error.thrown }),
      durationMs,
      trace,
    };
  }

  /** Keys and limits stay; the event and its delivery were only there to be claimed. */
  private async forget(deliveryId: number): Promise<void> {
    await this.state.cancel(deliveryId, this.clock.now());
    const now = this.clock.now();
    await this.state.prune({ completedBefore: Infinity, deadBefore: Infinity, now, limit: 100 });
  }

  private async prepare(): Promise<NonNullable<EventInvoker['prepared']>> {
    if (this.prepared) return this.prepared;
    const { clock, logger, state, deadlines } = this;
    const handlers = this.handlers.all();
    const node = await state.registerNode({ label: NODE, host: '', pid: 0 }, clock.now());
    const registrations = handlers.map(({ name, patterns, options: { priority } }) => ({
      name,
      patterns,
      priority,
      ordered: false,
      onDeadLetter: 'block' as const,
    }));
    await state.registerHandlers(node, registrations, clock.now());
    // What is only tried out is no fact.
    const lifecycle = new EventLifecycle();
    const circuits = new Circuits(handlers, {
      store: state,
      clock,
      logger,
      onChange: () => undefined,
      onMoved: () => undefined,
      lifecycle,
    });
    const links = chainLinks({
      clock,
      logger,
      activity: new Activity(clock),
      lifecycle,
      tracing: this.tracing,
      // Those before it, if `attempt` says that there were any, are nowhere.
      readFailures: () => Promise.resolve([]),
      contextHeaders: this.options.contextHeaders,
      circuits,
      limits: new RateLimits(state, clock),
      deadlines,
      keys: state,
      middleware: this.options.middleware.map((type) => findProvided(this.modules, 'middleware', type, 'invoke')),
      readPayload: (seq) => state.payload(seq),
      onLeak: ({ handler: { name } }) =>
        logger.warn(`${name} goes on although its signal was aborted`, { fact: 'leaked', handler: name }),
    });
    return (this.prepared = { node, circuits, links });
  }
}

function traced(link: ChainLink, trace: string[]): ChainLink {
  return {
    name: link.name,
    invoke: async (attempt, next) => {
      trace.push(`> ${link.name}`);
      try {
        await link.invoke(attempt, next);
      } finally {
        trace.push(`< ${link.name}`);
      }
    },
  };
}
