import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { RefusedError } from '../errors/refused.error.js';
import { SnoozeError } from '../errors/snooze.error.js';
import { isPermanent } from '../policies/retry.policy.js';
import type { Attempt } from './attempt.js';

/**
 * Whether an error says that the handler's downstream is failing. "Refused to run", "not now" and "this event can never
 * be handled" are different things: the circuit breaker does not count them.
 */
export function isFailure(error: unknown, attempt: Attempt): boolean {
  if (attempt.aborted instanceof AttemptAbortedError) return false;
  try {
    if (error instanceof SnoozeError || error instanceof RefusedError || error instanceof LeaseLostError) return false;
    if (error instanceof AttemptAbortedError) return false;
    return !isPermanent(error) && attempt.handler.options.retry.retryIf?.(error, attempt.attempt) !== false;
  } catch {
    // retryIf threw, or the error is one that throws when it is looked at.
    return true;
  }
}
