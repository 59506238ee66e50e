import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { InvalidPatternError } from '../errors/invalid-pattern.error.js';
import { compilePattern } from './event-pattern.js';

const TYPES = [
  'payment',
  'payment.processed',
  'payment.card.declined',
  'refund.processed',
  'events',
  'events.dead-letter',
];

it.each([
  ['payment', ['payment']],
  ['payment.processed', ['payment.processed']],
  ['payment.*', ['payment.processed']],
  ['payment.**', ['payment', 'payment.processed', 'payment.card.declined']],
  ['*', ['payment', 'events']],
  ['*.*', ['payment.processed', 'refund.processed']],
  ['**', ['payment', 'payment.processed', 'payment.card.declined', 'refund.processed', 'events']],
  ['**.processed', ['payment.processed', 'refund.processed']],
  ['**.**', ['payment', 'payment.processed', 'payment.card.declined', 'refund.processed', 'events']],
  ['payment.**.declined', ['payment.card.declined']],
  ['payment.**.card.declined', ['payment.card.declined']],
  ['*.dead-letter', []],
  ['events.*', ['events.dead-letter']],
  ['events.**', ['events', 'events.dead-letter']],
  ['events.dead-letter', ['events.dead-letter']],
  ['Payment', []],
  ['pay.ent', []],
  ['[a-z]+', []],
])("'%s' matches %j", (pattern, matched) => {
  expect(TYPES.filter((type) => compilePattern(pattern).matches(type))).toEqual(matched);
});

it("'events' is literal: only what comes under it is the library's", () => {
  expect(compilePattern('eventsource.*').matches('eventsource.opened')).toBe(true);
});

it.each([
  ['', 'must not be empty'],
  ['a.pay*', "has the segment 'pay*': a '*' or '**' must stand alone between dots"],
  ['***', "has the segment '***': a '*' or '**' must stand alone between dots"],
  ['.a', "has an empty segment: '.a'"],
  ['a.\0', "has a NUL character or half of a surrogate pair: 'a.\\x00'"],
  ['\ud800', `has a NUL character or half of a surrogate pair: ${inspect('\ud800')}`],
  ['x'.repeat(256), 'may have 255 characters, but has 256'],
  [7, 'must be a text, but is 7'],
])('the pattern %j is refused', (pattern, problem) => {
  expect(() => compilePattern(pattern as string)).toThrow(new InvalidPatternError(pattern, problem));
});

/** What a pattern means, in the plainest words. */
function means(pattern: string[], type: string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return type.length === 0;
  if (first === '**') return means(rest, type) || (type.length > 0 && means(pattern, type.slice(1)));
  return type.length > 0 && (first === '*' || first === type[0]) && means(rest, type.slice(1));
}

const segment = fc.constantFrom('a', 'b', 'ab');

it('matches what the plainest reading of a pattern matches', () => {
  const patterns = fc.array(fc.oneof(segment, fc.constant('*'), fc.constant('**')), { minLength: 1, maxLength: 7 });
  const types = fc.array(segment, { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(patterns, types, (pattern, type) => {
      expect(compilePattern(pattern.join('.')).matches(type.join('.'))).toBe(means(pattern, type));
    }),
    { numRuns: 5000 },
  );
});

it('the worst pattern for the worst type takes no time', () => {
  const pattern = compilePattern(`${'**.a.'.repeat(50)}b`.slice(0, 255));
  const type = Array.from({ length: 128 }, () => 'a').join('.');
  const start = performance.now();
  for (let i = 0; i < 100; i++) expect(pattern.matches(type)).toBe(false);
  // Nested backtracking would need more than 2^50 steps for a single one.
  expect(performance.now() - start).toBeLessThan(2000);
});
