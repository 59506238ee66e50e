import { inspect } from 'node:util';
import type { DeadLetterQuery } from '../store/dead-letter.store.js';
import type { DeadReason } from '../store/records.js';
import type { DeadLetterFilter } from './dead-letters.service.js';

type Reader = (name: string, value: unknown) => DeadLetterQuery;

/** Keeps the time of the last of a billion letters a valid one. */
const LEAST_RATE = 0.001;
const REASONS: readonly string[] = ['exhausted', 'rejected', 'expired'] satisfies DeadReason[];

/** How each condition is checked, and what it is called below. */
const READERS: Readonly<Record<keyof DeadLetterFilter, Reader>> = {
  eventId: (name, value) => ({ eventId: text(name, value) }),
  eventType: (name, value) => ({ eventType: text(name, value) }),
  handler: (name, value) => ({ handler: text(name, value) }),
  reason: (name, value) => ({ reason: reason(name, value) }),
  since: (name, value) => ({ since: moment(name, value) }),
  until: (name, value) => ({ until: moment(name, value) }),
  error: (name, value) => ({ errorText: text(name, value) }),
  all: (name, value) => {
    if (value === true) return {};
    throw invalid(`filter ${name}`, value, 'true, or left out');
  },
};

/**
 * What is `undefined` counts as left out.
 * @throws TypeError for a condition that is unknown or cannot be one; it names it and its value.
 */
export function readDeadLetterFilter(filter: DeadLetterFilter): DeadLetterQuery {
  if (typeof filter !== 'object' || filter === null) throw invalid('filter', filter, 'an object');
  const conditions = Object.entries(filter).map(([name, value]) => {
    if (!Object.hasOwn(READERS, name)) {
      throw new TypeError(`unknown dead letter filter ${inspect(name)}; known are ${Object.keys(READERS).join(', ')}`);
    }
    return value === undefined ? {} : READERS[name as keyof DeadLetterFilter](name, value);
  });
  return Object.assign({}, ...conditions) as DeadLetterQuery;
}

/** @throws TypeError */
export function readLimit(value: unknown, most = Number.MAX_SAFE_INTEGER): number | undefined {
  if (value === undefined) return undefined;
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most) return value as number;
  const bounds = most === Number.MAX_SAFE_INTEGER ? 'from 1 up' : `from 1 to ${most}`;
  throw invalid('limit', value, `a whole number ${bounds}`);
}

/** How many a second. @throws TypeError */
export function readRate(value: unknown): number | undefined {
  if (value === undefined || (typeof value === 'number' && value >= LEAST_RATE && value < Infinity)) return value;
  throw invalid('rate', value, `a number from ${LEAST_RATE} up`);
}

function text(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(`filter ${name}`, value, 'a text that is not empty');
}

function reason(name: string, value: unknown): DeadReason {
  if (REASONS.includes(value as string)) return value as DeadReason;
  throw invalid(`filter ${name}`, value, REASONS.map((one) => `'${one}'`).join(', '));
}

function moment(name: string, value: unknown): number {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.getTime();
  throw invalid(`filter ${name}`, value, 'a valid Date');
}

function invalid(what: string, value: unknown, expected: string): TypeError {
  return new TypeError(`dead letter ${what} must be ${expected}, but is ${inspect(value, { depth: 0 })}`);
}
