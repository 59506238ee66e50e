import { inspect } from 'node:util';
import type { AttemptFailure } from '../store/records.js';

const LONGEST_TEXT = 8_192;
const MOST_CAUSES = 5;

/** The record of a failed attempt: name, message and stack of the error and of its causes, cut to a sane size. */
export function describeFailure(
  error: unknown,
  at: Pick<AttemptFailure, 'at' | 'attempt' | 'durationMs' | 'node' | 'trace'>,
): AttemptFailure {
  const causes = causesOf(error).map(describeError);
  return { ...at, ...describeError(error), ...(causes.length > 0 && { causes }) };
}

/** An error by itself. @throws whatever a getter of it throws. */
export function describeError(error: unknown): { name: string; message: string; stack?: string } {
  if (!(error instanceof Error)) return { name: 'NonError', message: cut(inspect(error, { depth: 2 })) };
  const { name, message, stack } = error;
  return { name: cut(name), message: cut(message), ...(stack && { stack: cut(stack) }) };
}

/** The `cause` chain and the members of an AggregateError, outermost first. */
function causesOf(error: unknown): unknown[] {
  const found: unknown[] = [];
  const seen = new Set<unknown>([error]);
  const queue = [error];
  while (queue.length > 0 && found.length < MOST_CAUSES) {
    const current = queue.shift();
    if (!(current instanceof Error)) continue;
    const next = current instanceof AggregateError ? [...current.errors] : [];
    if (current.cause !== undefined) next.unshift(current.cause);
    for (const cause of next) {
      if (seen.has(cause)) continue;
      seen.add(cause);
      found.push(cause);
      queue.push(cause);
    }
  }
  return found.slice(0, MOST_CAUSES);
}

/** An error's fields are texts by convention only. */
function cut(value: unknown): string {
  const text = typeof value === 'string' ? value : inspect(value);
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}
