import type { ResolvedRetryOptions } from '../discovery/on-event.options.js';
import { InvalidOptionError } from '../errors/invalid-option.error.js';

/**
 * Whole milliseconds to wait after `attempts` failed attempts (1, 2, ...): never negative, never over `maxDelayMs`,
 * whatever `attempts` is. The order is fixed: formula (or function), cap, jitter.
 *
 * A backoff function that throws, or answers anything but a number from 0 up, stands for `maxDelayMs`: a broken function
 * must neither lose the retry nor hammer what is failing. `onFault` gets what was thrown, or an InvalidOptionError that
 * shows the answer.
 *
 * @param random uniform in [0, 1).
 */
export function backoffDelay(
  retry: ResolvedRetryOptions,
  attempts: number,
  random: () => number,
  onFault?: (fault: unknown) => void,
): number {
  const longest = Math.floor(Math.min(wanted(retry, attempts, onFault), retry.maxDelayMs));
  if (retry.jitter === 'none') return longest;
  return uniform(retry.jitter === 'full' ? 0 : Math.ceil(longest / 2), longest, random);
}

/** The delay before cap and jitter; Infinity where the number is too large for a double. */
function wanted(retry: ResolvedRetryOptions, attempts: number, onFault?: (fault: unknown) => void): number {
  const first = retry.initialDelayMs;
  switch (retry.backoff) {
    case 'fixed':
      return first;
    case 'linear':
      return first * attempts;
    case 'exponential':
      // 2^1023 is the largest power that is finite; beyond it 0 * Infinity would be NaN.
      return first * 2 ** Math.min(attempts - 1, 1023);
    case 'quadratic':
      return first * attempts * attempts;
    default:
      return answer(retry.backoff, attempts, onFault) ?? retry.maxDelayMs;
  }
}

function answer(
  backoff: (attempts: number) => unknown,
  attempts: number,
  onFault?: (fault: unknown) => void,
): number | undefined {
  try {
    const delay = backoff(attempts);
    if (typeof delay === 'number' && delay >= 0) return delay;
    onFault?.(new InvalidOptionError('retry', `backoff(${attempts})`, delay, 'milliseconds from 0 up'));
  } catch (error) {
    onFault?.(error);
  }
  return undefined;
}

/** A whole number from `low` to `high`, both included. */
function uniform(low: number, high: number, random: () => number): number {
  return low + Math.floor(random() * (high - low + 1));
}
