import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { CircuitOpenError } from '../errors/circuit-open.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { PayloadValidationError } from '../errors/payload-validation.error.js';
import { SnoozeError } from '../errors/snooze.error.js';
import type { RetryDecision } from '../policies/retry.policy.js';
import type { AttemptFailure, SettlementOutcome } from '../store/records.js';

/** How an attempt ended, as far as its outcome depends on it. */
export interface AttemptEnd {
  /** What the chain threw; absent when it returned. */
  readonly error?: { readonly thrown: unknown };
  /** Why the attempt was aborted, if it was; wins over what the handler threw because of it. */
  readonly aborted?: Error;
  /** `context.transaction` committed: the delivery is completed already. */
  readonly committed: boolean;
  /** This attempt, from 1. */
  readonly attempt: number;
  readonly durationMs: number;
}

export interface OutcomeRules {
  readonly now: number;
  /** Retry policy of the handler. */
  readonly retry: (error: unknown, attemptsSpent: number) => RetryDecision;
  /** Makes the record of a failed attempt. */
  readonly describe: (error: unknown) => AttemptFailure;
}

/**
 * What an attempt came to. `written` is completed by `context.transaction`, `lost` belongs to another node and `gone`
 * was cancelled: for those three nothing is left to write.
 */
export type Outcome = SettlementOutcome | { readonly outcome: 'written' | 'lost' | 'gone' };

/** The one place where an outcome is decided; see the table in the README. */
export function decideOutcome(end: AttemptEnd, rules: OutcomeRules): Outcome {
  const { attempt, durationMs } = end;
  if (end.committed) return { outcome: 'written' };
  if (!end.error) return { outcome: 'completed', attempts: attempt, durationMs };

  const error = end.aborted ?? end.error.thrown;
  if (error instanceof AttemptAbortedError) {
    if (error.reason === 'shutdown') return { outcome: 'released' };
    return { outcome: error.reason === 'cancelled' ? 'gone' : 'lost' };
  }
  if (error instanceof LeaseLostError) return { outcome: 'lost' };
  if (error instanceof SnoozeError) return { outcome: 'snoozed', availableAt: rules.now + error.delayMs };
  if (error instanceof CircuitOpenError) return { outcome: 'snoozed', availableAt: rules.now + error.retryInMs };

  const failure = rules.describe(error);
  if (error instanceof PayloadValidationError) return { outcome: 'dead', reason: 'rejected', failure };
  const decision = rules.retry(error, attempt);
  return decision.kind === 'retry'
    ? { outcome: 'retry', availableAt: rules.now + decision.delayMs, failure }
    : { outcome: 'dead', reason: decision.kind, failure };
}
