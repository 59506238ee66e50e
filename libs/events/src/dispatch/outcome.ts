import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { PayloadValidationError } from '../errors/payload-validation.error.js';
import { RefusedError } from '../errors/refused.error.js';
import { SnoozeError } from '../errors/snooze.error.js';
import { UpcastError } from '../errors/upcast.error.js';
import type { RetryDecision } from '../policies/retry.policy.js';
import type { AttemptFailure, SettlementOutcome } from '../store/records.js';

/** How an attempt ended, as far as its outcome depends on it. */
export interface AttemptEnd {
  /** Why the attempt was aborted, if it was; wins over what the handler threw because of it. */
  readonly aborted?: Error;
  /** `context.transaction` committed: the delivery is completed already. */
  readonly committed: boolean;
  /** Its idempotency key was completed before. */
  readonly duplicate: boolean;
  /** Why the chain did not let the handler run; stands even if a middleware has swallowed or replaced it. */
  readonly refusal?: RefusedError;
  /** The handler was aborted before it ended; stands in the same way. */
  readonly cutOff: boolean;
  /** The token of the rate limit that it has and has not used. */
  readonly rateSlot: number | null;
  /** This attempt, from 1. */
  readonly attempt: number;
}

export interface OutcomeRules {
  readonly now: number;
  readonly durationMs: number;
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

/**
 * The one place where an outcome is decided; see the table in the README.
 * @param thrown what the chain threw, if it threw.
 */
export function decideOutcome(
  end: AttemptEnd,
  thrown: { readonly thrown: unknown } | undefined,
  rules: OutcomeRules,
): Outcome {
  const { attempt, refusal, rateSlot } = end;
  const { durationMs } = rules;
  if (end.committed) return { outcome: 'written' };
  if (!thrown && !refusal && !end.cutOff) {
    // The attempt that found its work done is not spent.
    if (end.duplicate) return { outcome: 'duplicate', attempts: attempt - 1, durationMs };
    return { outcome: 'completed', attempts: attempt, durationMs };
  }

  const error = end.aborted ?? refusal ?? thrown?.thrown;
  if (error instanceof AttemptAbortedError) {
    if (error.reason === 'shutdown') return { outcome: 'released', rateSlot };
    return { outcome: error.reason === 'cancelled' ? 'gone' : 'lost' };
  }
  if (error instanceof LeaseLostError) return { outcome: 'lost' };
  if (error instanceof SnoozeError) return { outcome: 'snoozed', availableAt: rules.now + error.delayMs, rateSlot };
  if (error instanceof RefusedError) return { outcome: 'snoozed', availableAt: error.retryAt, rateSlot };

  const failure = rules.describe(error);
  if (error instanceof PayloadValidationError || error instanceof UpcastError)
    return { outcome: 'dead', reason: 'rejected', failure };
  const decision = rules.retry(error, attempt);
  return decision.kind === 'retry'
    ? { outcome: 'retry', availableAt: rules.now + decision.delayMs, failure }
    : { outcome: 'dead', reason: decision.kind, failure };
}
