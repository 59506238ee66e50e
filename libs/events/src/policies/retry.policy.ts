import type { ResolvedRetryOptions } from '../discovery/on-event.options.js';
import { parseDuration } from '../duration.js';
import { PermanentError } from '../errors/permanent.error.js';
import { RetryableError } from '../errors/retryable.error.js';
import { backoffDelay } from './backoff.policy.js';

/** What becomes of a delivery whose attempt has failed. */
export type RetryDecision =
  /** Once more, `delayMs` whole milliseconds from now. */
  | { readonly kind: 'retry'; readonly delayMs: number }
  /** All attempts are spent. */
  | { readonly kind: 'exhausted' }
  /** Trying again cannot help, says the error or the handler's `retryIf`. The circuit breaker does not count it. */
  | { readonly kind: 'rejected' };

/** A delay beyond this is no delay but a mistake: a moment that far away fits neither a Date nor a safe integer. */
const LONGEST_DELAY_MS = 2 ** 52;

/**
 * Decides after a failed attempt, by these rules in this order; never throws:
 *
 * 1. a PermanentError anywhere in the error's tree (the error, its `cause`s, the `errors` of an AggregateError: one is
 *    enough) -> rejected, even under a RetryableError;
 * 2. `retryIf` answers `false` -> rejected. Asked on the last attempt too, for the dead letter's reason. Any other
 *    answer, and an error of its own, lets the delivery live;
 * 3. `maxAttempts` spent -> exhausted;
 * 4. `retryAfter` of the outermost RetryableError in the tree that carries a usable one -> retry after exactly that,
 *    without jitter and whatever `maxDelay` says;
 * 5. retry after the backoff.
 */
export class RetryPolicy {
  /**
   * @param random uniform in [0, 1).
   * @param onFault gets what `retryIf` or a backoff function threw (or wrongly answered); must not throw.
   */
  constructor(
    private readonly retry: ResolvedRetryOptions,
    private readonly random: () => number,
    private readonly onFault?: (fault: unknown) => void,
  ) {}

  /** @param attemptsSpent this failed attempt and all before it, those that died with their node included; from 1. */
  decide(error: unknown, attemptsSpent: number): RetryDecision {
    if (isPermanent(error) || this.refuses(error, attemptsSpent)) return { kind: 'rejected' };
    if (attemptsSpent >= this.retry.maxAttempts) return { kind: 'exhausted' };
    const delayMs = askedDelay(error) ?? backoffDelay(this.retry, attemptsSpent, this.random, this.onFault);
    return { kind: 'retry', delayMs };
  }

  private refuses(error: unknown, attempt: number): boolean {
    try {
      return this.retry.retryIf?.(error, attempt) === false;
    } catch (fault) {
      this.onFault?.(fault);
      return false;
    }
  }
}

/** Whether a PermanentError is anywhere in the error's tree. */
export function isPermanent(error: unknown): boolean {
  return errorTree(error).some((one) => one instanceof PermanentError);
}

/** The error and all that it wraps, outermost first, each once: causes may form a circle. */
function errorTree(error: unknown): unknown[] {
  const found = new Set([error]);
  // A Set's iteration goes on to what is added on the way, so this walks level by level.
  for (const one of found) {
    if (!(one instanceof Error)) continue;
    if (one.cause !== undefined) found.add(one.cause);
    if (one instanceof AggregateError && Array.isArray(one.errors)) for (const part of one.errors) found.add(part);
  }
  return [...found];
}

function askedDelay(error: unknown): number | undefined {
  for (const one of errorTree(error)) {
    if (!(one instanceof RetryableError)) continue;
    const delay = parseDuration(one.retryAfter);
    if (delay !== undefined && delay <= LONGEST_DELAY_MS) return Math.ceil(delay);
  }
  return undefined;
}
