import type { DeadLetterQuery } from '../../store/dead-letter.store.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, type Verb } from '../verb.js';
import { takeDeadLetters } from './take-dead-letters.js';

export function discard(d: Dialect) {
  const take = takeDeadLetters(d);

  return function* (filter: DeadLetterQuery, limit: number): Verb<number[]> {
    yield BEGIN;
    return (yield* take(filter, limit)).map((letter) => letter.id);
  };
}
