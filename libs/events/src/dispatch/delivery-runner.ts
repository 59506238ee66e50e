import { inspect } from 'node:util';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../clock/clock.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { SnoozeError } from '../errors/snooze.error.js';
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
import { decideOutcome, type Outcome, type OutcomeRules } from './outcome.js';

/** How long a delivery waits when its payload could not be read. */
const PAYLOAD_RETRY_MS = 1_000;

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
      this.logger.error(
        `delivery ${delivery.id} of ${definition.name} is dead: ${delivery.attempts} attempts failed, ${delivery.crashes} died with their node`,
      );
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
      if (delivery.event.payload === null) await unlessAborted(attempt, this.loadPayload(attempt, delivery.event.seq));
      await this.invoke(attempt);
    } catch (thrown) {
      error = { thrown };
    }
    activity.inFlight--;
    this.attempts.delete(delivery.id);

    const durationMs = Math.max(0, Math.round(clock.monotonic() - startedAt));
    const outcome = this.decide(slot, attempt, error, durationMs);
    try {
      this.report(slot, attempt, outcome, error?.thrown);
    } catch {
      // A logger that throws, or an error that cannot even be printed, changes nothing.
    }
    return toSettlement(outcome);
  }

  private decide(slot: HandlerSlot, run: Attempt, error: { thrown: unknown } | undefined, durationMs: number): Outcome {
    const { aborted, committed, attempt } = run;
    const now = this.clock.now();
    const rules: OutcomeRules = {
      now,
      retry: (thrown, attemptsSpent) => slot.retry.decide(thrown, attemptsSpent),
      describe: (thrown) => describeFailure(thrown, { at: now, attempt, durationMs, node: this.options.nodeId }),
    };
    try {
      return decideOutcome({ error, aborted, committed, attempt, durationMs }, rules);
    } catch (fault) {
      // An error with a getter that throws, or a proxy: it is a failure like any other.
      const thrown = new Error('the error of this attempt cannot be read', { cause: fault });
      return decideOutcome({ error: { thrown }, aborted, committed, attempt, durationMs }, rules);
    }
  }

  private async loadPayload(attempt: Attempt, seq: number): Promise<void> {
    const payload = await this.store.payload(seq).catch((error: unknown) => {
      // The database's failure, not the handler's: no attempt is spent.
      this.logger.warn(`could not read the payload of event ${attempt.event.id}: ${String(error)}`);
      throw new SnoozeError(PAYLOAD_RETRY_MS);
    });
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
        if (thrown !== undefined)
          this.logger.error(`${what}: error after its transaction had committed`, stackOf(thrown));
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
        this.logger.warn(`${what}: its lease was lost, the outcome belongs to another node`);
        break;
      default:
    }
  }

  private onLeak(attempt: Attempt, ended: Promise<void>): void {
    const activity = this.activity.of(attempt.handler.name);
    activity.leaked++;
    const what = `${attempt.handler.name}, delivery ${attempt.delivery.id}`;
    this.logger.warn(
      `${what}: goes on although its signal was aborted (${attempt.aborted?.message}); it no longer counts`,
    );
    const end = () => activity.leaked--;
    ended.then(end, end);
  }
}

/** What there is to write, if anything. */
function toSettlement(outcome: Outcome): SettlementOutcome | undefined {
  switch (outcome.outcome) {
    case 'written':
    case 'gone':
      return undefined;
    case 'lost':
      // If the lease holds after all, nobody else will ever give it back; if not, the fence refuses this.
      return { outcome: 'released' };
    default:
      return outcome;
  }
}

/** Waits for `work`, but no longer than the attempt may go on. */
async function unlessAborted(attempt: Attempt, work: Promise<void>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    work.then(resolve, reject);
    attempt.onAbort(reject);
  });
}

function stackOf(error: unknown): string {
  try {
    return error instanceof Error && error.stack ? error.stack : inspect(error, { depth: 2 });
  } catch {
    return 'an error that cannot be read';
  }
}
