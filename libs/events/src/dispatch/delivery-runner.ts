import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Clock } from '../clock/clock.js';
import { findProvided } from '../discovery/provided-class.js';
import { type AbortCause, AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { AttemptContext } from '../invoke/attempt-context.js';
import { Attempt } from '../invoke/attempt.js';
import { callHandler } from '../invoke/call-handler.js';
import { chainLinks } from '../invoke/chain.js';
import type { Circuits } from '../invoke/circuits.js';
import { compose, type Invoker } from '../invoke/compose.js';
import { CurrentAttempt } from '../invoke/current-attempt.js';
import { Deadlines } from '../invoke/deadlines.js';
import { LateRejections } from '../invoke/late-rejections.js';
import type { RateLimits } from '../invoke/rate-limits.js';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import { Activity } from '../observability/activity.js';
import { ErrorReports } from '../observability/error-reports.js';
import { EventsLogger } from '../observability/events-logger.js';
import { LogStorms } from '../observability/log-storms.js';
import { EventTracing } from '../observability/tracing/event-tracing.js';
import { AmbientTransaction } from '../publish/ambient-transaction.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import { leaseOf } from '../store/lease-of.js';
import type { AttemptFailure, Lease, Settlement } from '../store/records.js';
import type { Claimed, HandlerSlot } from './handler-slot.js';
import { judgeAttempt, toSettlement } from './judge-attempt.js';
import { OutcomeReport } from './outcome-report.js';

/** How long a shutdown waits for the application's error reporter. */
const REPORTS_MS = 2_000;

/** Runs one claimed delivery through the invoker chain and says what it came to. */
@Injectable()
export class DeliveryRunner {
  private readonly logger = new EventsLogger(DeliveryRunner.name);
  private readonly attempts = new Map<number, Attempt>();
  private readonly deadlines: Deadlines;
  private readonly outcomes: OutcomeReport;
  private readonly lateRejections: LateRejections;
  private invoke!: Invoker;

  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: ResolvedEventsOptions,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly activity: Activity,
    private readonly ambient: AmbientTransaction,
    private readonly reports: ErrorReports,
    private readonly lifecycle: EventLifecycle,
    storms: LogStorms,
    private readonly tracing: EventTracing,
    private readonly current: CurrentAttempt,
    private readonly modules: ModuleRef,
  ) {
    this.deadlines = new Deadlines(clock);
    this.outcomes = new OutcomeReport({ clock, logger: this.logger, storms, activity, reports, lifecycle });
    this.lateRejections = new LateRejections(current, (attempt, reason) => this.outcomes.rejectedLate(attempt, reason));
  }

  /** @throws InvalidOptionError when a middleware or the error reporter is not provided. */
  prepare(circuits: Circuits, limits: RateLimits): void {
    const { store, clock, logger, activity, lifecycle, deadlines, outcomes } = this;
    this.reports.prepare();
    const links = chainLinks({
      clock,
      logger,
      activity,
      lifecycle,
      tracing: this.tracing,
      readFailures: (attempt) => this.failures(attempt),
      contextHeaders: this.options.contextHeaders,
      circuits,
      limits,
      deadlines,
      keys: store,
      middleware: this.options.middleware.map((type) => findProvided(this.modules, 'middleware', type, 'invoke')),
      readPayload: (seq) => store.payload(seq),
      onLeak: (attempt, ended) => outcomes.leaked(attempt, ended),
    });
    this.invoke = compose(links, (attempt) => callHandler(attempt, this.current));
    this.lateRejections.start();
  }

  /** Attempts under way. */
  get running(): Iterable<Attempt> {
    return this.attempts.values();
  }

  get leases(): Lease[] {
    return Array.from(this.running, ({ delivery }) => delivery);
  }

  /** Of those whose deliveries must still be leased to this node. */
  get neededLeases(): Lease[] {
    return [...this.running].filter(({ needsLease }) => needsLease).map(({ delivery }) => delivery);
  }

  /** Aborts the attempt at a delivery, if it is under way and meant. */
  abort(deliveryId: number, cause: AbortCause, isMeant: (attempt: Attempt) => boolean): void {
    const attempt = this.attempts.get(deliveryId);
    if (!attempt || !isMeant(attempt)) return;
    // A transaction that has committed since the lease was looked for has given it up itself.
    if (cause === 'lease-lost' && !attempt.needsLease) return;
    attempt.abort(new AttemptAbortedError(attempt.handler.name, cause));
  }

  abortAll(cause: AbortCause): void {
    for (const attempt of this.running) attempt.abort(new AttemptAbortedError(attempt.handler.name, cause));
  }

  /** Resolves when the error reporter has been told everything, or has taken too long for it. */
  async reported(): Promise<void> {
    await this.reports.idle(REPORTS_MS);
  }

  close(): void {
    this.deadlines.close();
    this.lateRejections.stop();
  }

  /** Never rejects. Undefined = nothing is left to write. */
  async run(slot: HandlerSlot, { delivery, event, node, circuitEpoch }: Claimed): Promise<Settlement | undefined> {
    const { definition } = slot;
    const { clock, store, ambient, outcomes } = this;
    const attempt = new Attempt(event, definition, delivery, circuitEpoch);
    if (delivery.attempts + delivery.crashes >= definition.options.retry.maxAttempts) {
      outcomes.diedWithNode(attempt);
      return { ...leaseOf(delivery), outcome: 'dead', reason: 'exhausted', failure: null };
    }
    attempt.context = new AttemptContext(attempt, {
      transactions: store,
      ambient,
      clock,
      settleIn: (manager, settlement) => store.settleIn(manager, node, settlement, clock.now()),
    });
    const startedAt = clock.monotonic();
    this.attempts.set(delivery.id, attempt);
    let error: { thrown: unknown } | undefined;
    try {
      await this.invoke(attempt);
    } catch (thrown) {
      error = { thrown };
    }
    this.attempts.delete(delivery.id);

    const durationMs = Math.max(0, Math.round(clock.monotonic() - startedAt));
    const { nodeId } = this.options;
    const outcome = judgeAttempt(attempt, error, { retry: slot.retry, now: clock.now(), durationMs, node: nodeId });
    outcomes.ended(attempt, outcome, { durationMs, error });
    return toSettlement(attempt, outcome, clock.now());
  }
  private async failures({ event, delivery }: Attempt): Promise<readonly AttemptFailure[]> {
    const deliveries = await this.store.findDeliveries(event.id);
    return deliveries.find(({ id }) => id === delivery.id)?.failures ?? [];
  }
}
