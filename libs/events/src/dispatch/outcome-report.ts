import type { Logger } from '@nestjs/common';
import type { Clock } from '../clock/clock.js';
import { NewerVersionError } from '../errors/newer-version.error.js';
import { NodeLostError } from '../errors/node-lost.error.js';
import { stackOf } from '../errors/stack-of.js';
import type { Attempt } from '../invoke/attempt.js';
import type { Activity } from '../observability/activity.js';
import { endingOf, factOf, labelsOf } from '../observability/attempt-facts.js';
import type { ErrorReports } from '../observability/error-reports.js';
import type { EventLifecycle } from '../observability/event-lifecycle.js';
import type { Outcome } from './outcome.js';

/** Versions that are named in the log before it falls silent about further ones. */
const MOST_NAMED_VERSIONS = 1_000;

export interface OutcomeReportParts {
  readonly clock: Clock;
  readonly logger: Logger;
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

/** Tells what an attempt came to: counts it, logs it, makes it a fact, and lets the ErrorReporter know. Never the payload. */
export class OutcomeReport {
  private readonly newerVersions = new Set<string>();

  constructor(private readonly parts: OutcomeReportParts) {}

  /** Never throws. */
  ended(attempt: Attempt, outcome: Outcome, { durationMs, error }: AttemptEnding): void {
    const { clock, lifecycle } = this.parts;
    this.count(attempt, outcome);
    const fact = endingOf(outcome);
    if (fact && lifecycle.wants(fact)) lifecycle.emit(factOf(attempt, outcome, { fact, durationMs, now: clock.now() }));
    try {
      this.log(attempt, outcome, error);
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
    this.parts.logger.error(`${describe(attempt)}: dead letter (exhausted): ${error.message}`);
    this.parts.reports.report(error, attempt, true);
  }

  leaked(attempt: Attempt, ended: Promise<void>): void {
    const activity = this.parts.activity.of(attempt.handler.name);
    activity.leaked++;
    this.parts.lifecycle.emit({ fact: 'leaked', ...labelsOf(attempt) });
    this.parts.logger.warn(
      `${describe(attempt)}: goes on although its signal was aborted (${attempt.aborted?.message}); it no longer counts`,
    );
    const end = () => activity.leaked--;
    ended.then(end, end);
  }

  /** A promise that the handler did not wait for was rejected; its attempt has ended, or will without knowing. */
  rejectedLate(attempt: Attempt, reason: unknown): void {
    this.parts.logger.error(`${describe(attempt)}: a promise that nobody waited for was rejected`, stackOf(reason));
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

  /** A final failure with its stack, a retry as a warning. */
  private log(attempt: Attempt, outcome: Outcome, error: { readonly thrown: unknown } | undefined): void {
    switch (outcome.outcome) {
      case 'written':
        if (error)
          this.parts.logger.error(
            `${describe(attempt)}: error after its transaction had committed`,
            stackOf(error.thrown),
          );
        break;
      case 'retry': {
        const { name, message } = outcome.failure;
        const waitMs = outcome.availableAt - this.parts.clock.now();
        this.parts.logger.warn(`${describe(attempt)}: ${name}: ${message}; again in ${waitMs} ms`);
        break;
      }
      case 'dead':
        this.parts.logger.error(`${describe(attempt)}: dead letter (${outcome.reason})`, stackOf(error?.thrown));
        break;
      case 'snoozed':
        if (attempt.refusal instanceof NewerVersionError) this.noteNewerVersion(attempt, attempt.refusal);
        break;
      case 'lost':
        this.parts.logger.warn(`${describe(attempt)}: its lease was lost, the outcome belongs to another node`);
        break;
      default:
    }
  }

  /** Final failures, and whatever is no Error: that is a mistake wherever it comes from. */
  private reportError(attempt: Attempt, { outcome }: Outcome, thrown: unknown): void {
    const final = outcome === 'dead' || outcome === 'written';
    if (final || !isError(thrown)) this.parts.reports.report(thrown, attempt, final);
  }

  private noteNewerVersion({ handler }: Attempt, { message, eventType, version }: NewerVersionError): void {
    const what = `${handler.name} ${eventType} ${version}`;
    if (this.newerVersions.has(what) || this.newerVersions.size >= MOST_NAMED_VERSIONS) return;
    this.newerVersions.add(what);
    this.parts.logger.warn(`${handler.name}: ${message}; such events wait for a node that does (said once)`);
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
