import type { DeadLetterQuery } from '../../store/dead-letter.store.js';
import type { Dialect } from '../dialect.js';
import { select, type Verb } from '../verb.js';
import { deadLetters } from './dead-letters.js';

export function countDeadLetters(d: Dialect) {
  return function* (query: DeadLetterQuery): Verb<number> {
    const [row] = yield* select<{ count: number }>(deadLetters(d, query), { count: 'count(*)' });
    return row?.count ?? 0;
  };
}
