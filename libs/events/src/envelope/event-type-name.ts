import { inspect } from 'node:util';
import { InvalidEventError } from '../errors/invalid-event.error.js';
import { nameProblem } from './storable-text.js';

/** Types under this prefix belong to the library. */
export const RESERVED_PREFIX = 'events.';

/**
 * What is wrong with an event type that users name, or undefined. A type is made of segments between dots, none of them
 * empty, none a wildcard; it is not one of the library's own.
 */
export function eventTypeProblem(type: unknown): string | undefined {
  const problem = dottedNameProblem(type);
  if (problem !== undefined) return problem;
  const name = type as string;
  if (name.includes('*')) return `must be one event type without wildcards ('*'), but is ${inspect(name)}`;
  if (name.startsWith(RESERVED_PREFIX)) {
    return `must not begin with '${RESERVED_PREFIX}', which is reserved, but is ${inspect(name)}`;
  }
  return undefined;
}

/** What is wrong with a name that is made of segments between dots (a type or a pattern), or undefined. */
export function dottedNameProblem(name: unknown): string | undefined {
  if (typeof name !== 'string') return `must be a text, but is ${inspect(name, { depth: 0 })}`;
  if (name.length === 0) return 'must not be empty';
  const problem = nameProblem(name);
  const hasEmpty = name.startsWith('.') || name.endsWith('.') || name.includes('..');
  if (problem === undefined && hasEmpty) return `has an empty segment: ${inspect(name)}`;
  return problem;
}

/** @throws InvalidEventError when no user may publish an event of this type. */
export function checkEventType(type: unknown): asserts type is string {
  const problem = eventTypeProblem(type);
  if (problem !== undefined) throw new InvalidEventError('type', problem);
}
