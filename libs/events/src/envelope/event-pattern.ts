import { InvalidPatternError } from '../errors/invalid-pattern.error.js';
import { dottedNameProblem, RESERVED_PREFIX } from './event-type-name.js';

/** A compiled event-type pattern. */
export interface EventPattern {
  /** As written. */
  readonly text: string;
  matches(type: string): boolean;
}

/**
 * Compiles an event-type pattern. Its segments stand between dots: `*` is any one segment, `**` any number of segments,
 * none included (`payment.**` matches `payment`, `payment.processed` and `payment.card.declined`), all else is literal.
 * Types under `events.` are the library's own: only a pattern that itself begins with `events.` matches them.
 *
 * Matching costs at most (segments of the pattern) x (segments of the type) comparisons, whatever the two are.
 * @throws InvalidPatternError
 */
export function compilePattern(text: string): EventPattern {
  const problem = dottedNameProblem(text);
  if (problem !== undefined) throw new InvalidPatternError(text, problem);
  const segments = text.split('.');
  const halfWild = segments.find((segment) => segment.includes('*') && segment !== '*' && segment !== '**');
  if (halfWild !== undefined) {
    throw new InvalidPatternError(text, `has the segment '${halfWild}': a '*' or '**' must stand alone between dots`);
  }
  if (!text.includes('*')) return { text, matches: (type) => type === text };
  const ownTypes = text.startsWith(RESERVED_PREFIX);
  return {
    text,
    matches: (type) => (ownTypes || !type.startsWith(RESERVED_PREFIX)) && matchSegments(segments, type.split('.')),
  };
}

/**
 * Only the last `**` met ever needs to be tried with more segments: whatever an earlier one could take in addition, the
 * last one can take instead. So there is no nested backtracking.
 */
function matchSegments(pattern: readonly string[], type: readonly string[]): boolean {
  let at = 0;
  let position = 0;
  let anyAt = -1;
  let anyTakesUpTo = 0;
  while (position < type.length) {
    if (pattern[at] === '**') {
      anyAt = at++;
      anyTakesUpTo = position;
    } else if (at < pattern.length && (pattern[at] === '*' || pattern[at] === type[position])) {
      at++;
      position++;
    } else if (anyAt >= 0) {
      at = anyAt + 1;
      position = ++anyTakesUpTo;
    } else {
      return false;
    }
  }
  while (pattern[at] === '**') at++;
  return at === pattern.length;
}
