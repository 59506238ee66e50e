import type { Clock } from '../clock/clock.js';
import { NewerVersionError } from '../errors/newer-version.error.js';
import { NodeLostError } from '../errors/node-lost.error.js';
import { stackOf } from '../errors/stack-of.js';
import type { Attempt } from '../invoke/attempt.js';
import type { Activity } from '../observability/activity.js';
import { endingOf, factOf, labelsOf, reasonOf } from '../observability/attempt-facts.js';
import type { ErrorReports } from '../observability/error-reports.js';
import type { EventLifecycle } from '../observability/event-lifecycle.js';
import type { EventsLogger } from '../observability/events-logger.js';
import type { FactName } from '../observability/lifecycle-fact.js';
import type { LogFields } from '../observability/log-fields.js';
import type { LogStorms, StormLine } from '../observability/log-storms.js';
import type { Outcome } from './outcome.js';

/** Versions that are named in the log before it falls silent about further ones. */
const MOST_NAMED_VERSIONS = 1_000;

export interface OutcomeReportParts {
  readonly clock: Clock;
  readonly logger: EventsLogger;
  readonly storms: LogStorms;
  readonly activity: Activity;
  readonly reports: ErrorReports;
  readonly lifecycle: EventLifecycle;
}

/** How an attempt ended. */
export interface AttemptEnding {
  readonly durationMs: number;
  /** What the chain threw, if it threw. */
  readonly error?: { readonly thrown: unknown };
}

/** A line about an attempt, before it is said which. */
interface AttemptLine extends Pick<StormLine, 'level' | 'kind' | 'message' | 'stack'> {
  /** The lifecycle fact that goes with it, if there is one. */
  readonly fact?: FactName;
  readonly fields?: LogFields;
}

/** Tells what an attempt came to: counts it, logs it, ends its span, makes it a fact, and lets the ErrorReporter know. Never the payload. */
export class OutcomeReport {
  private readonly newerVersions = new Set<string>();

  constructor(private readonly parts: OutcomeReportParts) {}

  /** Never throws. */
  ended(attempt: Attempt, outcome: Outcome, { durationMs, error }: AttemptEnding): void {
    const { clock, lifecycle } = this.parts;
    this.count(attempt, outcome);
    attempt.span?.end(outcome, error);
    const fact = endingOf(outcome);
    if (fact && lifecycle.wants(fact)) lifecycle.emit(factOf(attempt, outcome, { fact, durationMs, now: clock.now() }));
    try {
      this.log(attempt, outcome, { durationMs, error });
    } catch {
      // A logger that throws, or an error that cannot even be printed, changes nothing.
    }
    if (error) this.reportError(attempt, outcome, error.thrown);
  }

  /** Its last attempt died with a node; the failure is recorded already. */
  diedWithNode(attempt: Attempt): void {
    const { delivery, handler } = attempt;
    this.parts.activity.of(handler.name).dead++;
    const error = new NodeLostError(handler.name, delivery.attempts, delivery.crashes);
    this.parts.lifecycle.emit({
      fact: 'dead',
      ...labelsOf(attempt),
      durationMs: 0,
      reason: 'exhausted',
      error: error.name,
    });
    this.write(attempt, {
      level: 'error',
      kind: 'dead letters',
      message: () => `dead letter (exhausted): ${error.message}`,
      fact: 'dead',
      fields: { reason: 'exhausted', error: error.name },
    });
    this.parts.reports.report(error, attempt, true);
  }

  leaked(attempt: Attempt, ended: Promise<void>): void {
    const activity = this.parts.activity.of(attempt.handler.name);
    activity.leaked++;
    this.parts.lifecycle.emit({ fact: 'leaked', ...labelsOf(attempt) });
    this.write(attempt, {
      level: 'warn',
      kind: 'runs that go on although they were aborted',
      message: () => `goes on although its signal was aborted (${attempt.aborted?.message}); it no longer counts`,
      fact: 'leaked',
    });
    const end = () => activity.leaked--;
    ended.then(end, end);
  }

  /** A promise that the handler did not wait for was rejected; its attempt has ended, or will without knowing. */
  rejectedLate(attempt: Attempt, reason: unknown): void {
    this.write(attempt, {
      level: 'error',
      kind: 'promises that nobody waited for',
      message: () => 'a promise that nobody waited for was rejected',
      stack: () => stackOf(reason),
    });
    this.parts.reports.report(reason, attempt, false);
  }

  private count({ handler }: Attempt, { outcome }: Outcome): void {
    const activity = this.parts.activity.of(handler.name);
    if (outcome === 'completed' || outcome === 'written') activity.record(false);
    else if (outcome === 'retry' || outcome === 'dead') activity.record(true);
    if (outcome === 'retry') activity.retried++;
    else if (outcome === 'dead') activity.dead++;
    else if (outcome === 'snoozed') activity.snoozed++;
    else if (outcome === 'duplicate') activity.duplicates++;
  }

  /** A final failure with its stack, a retry as a warning, what only waits for those who ask. */
  private log(attempt: Attempt, outcome: Outcome, { durationMs, error }: AttemptEnding): void {
    const stack = () => stackOf(error?.thrown);
    switch (outcome.outcome) {
      case 'written':
        if (error)
          this.write(attempt, {
            level: 'error',
            kind: 'errors after a commit',
            message: () => 'error after its transaction had committed',
            fields: { durationMs },
            stack,
          });
        break;
      case 'retry': {
        const { name, message } = outcome.failure;
        const delayMs = Math.max(0, outcome.availableAt - this.parts.clock.now());
        this.write(attempt, {
          level: 'warn',
          kind: 'retries',
          message: () => `${name}: ${message}; again in ${delayMs} ms`,
          fact: 'retried',
          fields: { durationMs, delayMs, error: name },
        });
        break;
      }
      case 'dead': {
        const { reason, failure } = outcome;
        this.write(attempt, {
          level: 'error',
          kind: 'dead letters',
          message: () => `dead letter (${reason})`,
          fact: 'dead',
          fields: { durationMs, reason, error: failure?.name },
          stack,
        });
        break;
      }
      case 'snoozed': {
        const { refusal } = attempt;
        if (refusal instanceof NewerVersionError && this.noteNewerVersion(attempt, refusal)) return;
        const delayMs = Math.max(0, outcome.availableAt - this.parts.clock.now());
        const reason = reasonOf(refusal);
        this.write(attempt, {
          level: 'debug',
          kind: 'snoozes',
          message: () => `waits ${delayMs} ms (${reason})`,
          fact: 'snoozed',
          fields: { durationMs, delayMs, reason },
        });
        break;
      }
      case 'lost':
        this.write(attempt, {
          level: 'warn',
          kind: 'lost leases',
          message: () => 'its lease was lost, the outcome belongs to another node',
          fact: 'lost',
          fields: { durationMs },
        });
        break;
      default:
    }
  }

  /** One line of an attempt; a storm of them becomes a few. */
  private write(attempt: Attempt, { kind, message, fact, fields, ...line }: AttemptLine): void {
    const { logger, storms } = this.parts;
    const handler = attempt.handler.name;
    const common = { ...(fact && { fact }), handler };
    storms.write(logger, {
      ...line,
      kind: `${kind} of handler ${handler}`,
      message: () => `${describe(attempt)}: ${message()}`,
      common,
      fields: { ...common, ...labelsOf(attempt), ...fields },
    });
  }

  /** Final failures, and whatever is no Error: that is a mistake wherever it comes from. */
  private reportError(attempt: Attempt, { outcome }: Outcome, thrown: unknown): void {
    const final = outcome === 'dead' || outcome === 'written';
    if (final || !isError(thrown)) this.parts.reports.report(thrown, attempt, final);
  }

  /** False when it was said before. */
  private noteNewerVersion({ handler }: Attempt, { message, eventType: type, version }: NewerVersionError): boolean {
    const what = `${handler.name} ${type} ${version}`;
    if (this.newerVersions.has(what) || this.newerVersions.size >= MOST_NAMED_VERSIONS) return false;
    this.newerVersions.add(what);
    const text = `${handler.name}: ${message}; such events wait for a node that does (said once)`;
    this.parts.logger.warn(text, { fact: 'snoozed', handler: handler.name, type, version, reason: 'newer-version' });
    return true;
  }
}

function describe({ handler, event, delivery, attempt }: Attempt): string {
  return `${handler.name}, event ${event.type} ${event.id}, delivery ${delivery.id}, attempt ${attempt}`;
}

function isError(thrown: unknown): boolean {
  try {
    return thrown instanceof Error;
  } catch {
    // A proxy that throws when it is asked.
    return false;
  }
}
