import type { ResolvedIdempotencyOptions, ResolvedRateLimitOptions } from '../discovery/on-event.options.js';
import { isStorable, LONGEST_NAME } from '../envelope/storable-text.js';
import { InvalidKeyError } from '../errors/invalid-key.error.js';
import type { Attempt } from './attempt.js';

/** The bucket of a limit that has no key: one for the whole handler. */
const WHOLE_HANDLER = '';

/**
 * The rate limit's key of an event: by the handler's option, else by the event's definition, else one for all. Undefined
 * when there is a key function and the event has no key: it is not limited.
 * @throws InvalidKeyError, and what the key function throws.
 */
export function rateLimitKey(attempt: Attempt, { key }: ResolvedRateLimitOptions): string | undefined {
  const { event, handler } = attempt;
  if (key) return checked(attempt, 'rateLimit.key', key(event));
  const definition = handler.definitions.get(event.type);
  if (!definition?.rateLimitKey) return WHOLE_HANDLER;
  return checked(attempt, 'rateLimitKey', definition.rateLimitKey(event.payload));
}

/**
 * The idempotency key of an event: by the handler's option, else by the event's definition. Undefined when it has none.
 * @throws InvalidKeyError, and what the key function throws.
 */
export function idempotencyKey(attempt: Attempt, { key }: ResolvedIdempotencyOptions): string | undefined {
  const { event, handler } = attempt;
  if (key) return checked(attempt, 'idempotency.key', key(event));
  const definition = handler.definitions.get(event.type);
  if (!definition?.idempotencyKey) return undefined;
  return checked(attempt, 'idempotencyKey', definition.idempotencyKey(event.payload));
}

function checked({ handler }: Attempt, option: string, key: unknown): string | undefined {
  if (key === undefined || key === null || key === '') return undefined;
  if (typeof key !== 'string') throw new InvalidKeyError(handler.name, option, `a ${typeof key}, not a text`);
  if (key.length > LONGEST_NAME) {
    throw new InvalidKeyError(handler.name, option, `${key.length} characters long, but may have ${LONGEST_NAME}`);
  }
  if (!isStorable(key)) throw new InvalidKeyError(handler.name, option, 'a text with NUL or half of a surrogate pair');
  return key;
}
