import type { DeadLetterQuery } from '../../store/dead-letter.store.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, type Verb } from '../verb.js';
import { wakeLanes } from './lanes.js';
import { takeDeadLetters } from './take-dead-letters.js';

export function discard(d: Dialect) {
  const take = takeDeadLetters(d);
  const wake = wakeLanes(d);

  return function* (filter: DeadLetterQuery, limit: number): Verb<number[]> {
    yield BEGIN;
    const letters = yield* take(filter, limit);
    yield* wake(letters);
    return letters.map((letter) => letter.id);
  };
}
