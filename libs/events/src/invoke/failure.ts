import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { CircuitOpenError } from '../errors/circuit-open.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { PayloadValidationError } from '../errors/payload-validation.error.js';
import { SnoozeError } from '../errors/snooze.error.js';
import { isPermanent } from '../policies/retry.policy.js';
import type { Attempt } from './attempt.js';

/**
 * Whether an error says that the handler's downstream is failing. "Refused to run", "not now" and "this event can never
 * be handled" are different things: the circuit breaker does not count them.
 */
export function isFailure(error: unknown, attempt: Attempt): boolean {
  const neutral =
    error instanceof SnoozeError ||
    error instanceof CircuitOpenError ||
    error instanceof AttemptAbortedError ||
    error instanceof LeaseLostError ||
    error instanceof PayloadValidationError ||
    attempt.aborted instanceof AttemptAbortedError;
  if (neutral || isPermanent(error)) return false;
  const { retryIf } = attempt.handler.options.retry;
  try {
    return retryIf?.(error, attempt.attempt) !== false;
  } catch {
    return true;
  }
}
