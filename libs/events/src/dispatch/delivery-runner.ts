import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../clock/clock.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { AttemptContext } from '../invoke/attempt-context.js';
import { Attempt } from '../invoke/attempt.js';
import { CircuitMiddleware } from '../invoke/circuit.middleware.js';
import type { Circuits } from '../invoke/circuits.js';
import { compose, type Invoker } from '../invoke/compose.js';
import { Deadlines } from '../invoke/deadlines.js';
import { callHandler } from '../invoke/call-handler.js';
import { TimeoutMiddleware } from '../invoke/timeout.middleware.js';
import { Activity } from '../observability/activity.js';
import { AmbientTransaction } from '../publish/ambient-transaction.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import type { SettlementOutcome } from '../store/records.js';
import { describeFailure } from './failure-record.js';
import type { Claimed, HandlerSlot } from './handler-slot.js';
import { decideOutcome, type Outcome } from './outcome.js';

/** Runs one claimed delivery through the invoker chain and says what it came to. */
@Injectable()
export class DeliveryRunner {
  private readonly logger = new Logger(DeliveryRunner.name);
  private readonly attempts = new Map<number, Attempt>();
  private readonly deadlines: Deadlines;
  private invoke!: Invoker;

  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: ResolvedEventsOptions,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly activity: Activity,
    private readonly ambient: AmbientTransaction,
  ) {
    this.deadlines = new Deadlines(clock);
  }

  prepare(circuits: Circuits): void {
    const timeout = new TimeoutMiddleware(this.deadlines, (attempt, ended) => this.onLeak(attempt, ended));
    this.invoke = compose([new CircuitMiddleware(circuits), timeout], (attempt) => callHandler(attempt as Attempt));
  }

  /** Attempts under way. */
  get running(): Iterable<Attempt> {
    return this.attempts.values();
  }

  find(deliveryId: number): Attempt | undefined {
    return this.attempts.get(deliveryId);
  }

  close(): void {
    this.deadlines.close();
  }

  /** Never rejects. Undefined = nothing is left to write. */
  async run(slot: HandlerSlot, { delivery, event, node }: Claimed): Promise<SettlementOutcome | undefined> {
    const { definition, activity } = slot;
    const { maxAttempts } = definition.options.retry;
    if (delivery.attempts + delivery.crashes >= maxAttempts) {
      // Its last attempt died with a node: the failure is recorded already.
      activity.dead++;
      this.logger.error(`delivery ${delivery.id} of ${definition.name} is dead: its node died ${delivery.crashes} times`);
      return { outcome: 'dead', reason: 'exhausted', failure: null };
    }
    const attempt = new Attempt(event, definition, delivery);
    const { store, ambient, clock } = this;
    attempt.context = new AttemptContext(attempt, { store, ambient, clock, node });
    const startedAt = clock.monotonic();
    this.attempts.set(delivery.id, attempt);
    activity.inFlight++;
    let error: { thrown: unknown } | undefined;
    try {
      if (delivery.event.payload === null) await this.loadPayload(attempt, delivery.event.seq);
      await this.invoke(attempt);
    } catch (thrown) {
      error = { thrown };
    }
    activity.inFlight--;
    this.attempts.delete(delivery.id);

    const durationMs = Math.max(0, Math.round(clock.monotonic() - startedAt));
    const { aborted, committed } = attempt;
    const now = clock.now();
    const outcome = decideOutcome(
      { error, aborted, committed, attempt: attempt.attempt, durationMs },
      {
        now,
        retry: (thrown, attemptsSpent) => slot.retry.decide(thrown, attemptsSpent),
        describe: (thrown) =>
          describeFailure(thrown, { at: now, attempt: attempt.attempt, durationMs, node: this.options.nodeId }),
      },
    );
    this.report(slot, attempt, outcome, error?.thrown);
    return isSettlement(outcome) ? outcome : undefined;
  }

  private async loadPayload(attempt: Attempt, seq: number): Promise<void> {
    const payload = await this.store.payload(seq);
    if (payload === null) throw new Error(`the payload of event ${attempt.event.id} is gone from the inbox`);
    attempt.event.supply(payload);
  }

  /** Counts and logs; a final failure with its stack, a retry as a warning. Never the payload. */
  private report({ activity }: HandlerSlot, attempt: Attempt, outcome: Outcome, thrown: unknown): void {
    const { event, handler, delivery } = attempt;
    const what = `${handler.name}, event ${event.type} ${event.id}, delivery ${delivery.id}, attempt ${attempt.attempt}`;
    switch (outcome.outcome) {
      case 'completed':
      case 'written':
        activity.record(false);
        if (thrown !== undefined) this.logger.error(`${what}: error after its transaction had committed`, stackOf(thrown));
        break;
      case 'retry':
        activity.record(true);
        activity.retried++;
        this.logger.warn(
          `${what}: ${outcome.failure.name}: ${outcome.failure.message}; again in ${outcome.availableAt - this.clock.now()} ms`,
        );
        break;
      case 'dead':
        activity.record(true);
        activity.dead++;
        this.logger.error(`${what}: dead letter (${outcome.reason})`, stackOf(thrown));
        break;
      case 'snoozed':
        activity.snoozed++;
        break;
      case 'lost':
        activity.lost++;
        this.logger.warn(`${what}: its lease was lost, the outcome belongs to another node`);
        break;
      default:
    }
  }

  private onLeak(attempt: Attempt, ended: Promise<void>): void {
    const activity = this.activity.of(attempt.handler.name);
    activity.leaked++;
    const what = `${attempt.handler.name}, delivery ${attempt.delivery.id}`;
    this.logger.warn(`${what}: goes on although its signal was aborted (${attempt.aborted?.message}); it no longer counts`);
    const end = () => activity.leaked--;
    ended.then(end, end);
  }
}

/** Whether there is something to write. */
function isSettlement(outcome: Outcome): outcome is SettlementOutcome {
  return outcome.outcome !== 'written' && outcome.outcome !== 'lost' && outcome.outcome !== 'gone';
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? String(error)) : String(error);
}
