import type { DeadLetterQuery } from '../../store/dead-letter.store.js';
import type { DeadLetterRecord } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { select, type Verb } from '../verb.js';
import { deadLetters } from './dead-letters.js';
import { EVENT_SELECTION } from './find-event.js';
import { type DeadLetterRow, toDeadLetter } from './rows.js';

const SELECTION: Readonly<Record<keyof DeadLetterRow, string>> = {
  ...EVENT_SELECTION,
  id: 'd.id',
  handler: 'd.handler',
  reason: 'd.reason',
  attempts: 'd.attempts',
  crashes: 'd.crashes',
  errors: 'd.errors',
  dead_at: 'd.deadAt',
};

export function listDeadLetters(d: Dialect) {
  return function* (query: DeadLetterQuery, limit: number, before?: number): Verb<DeadLetterRecord[]> {
    const builder = deadLetters(d, query).orderBy('d.id', 'DESC').limit(limit);
    if (before !== undefined) builder.andWhere('d.id < :before', { before });
    return (yield* select<DeadLetterRow>(builder, SELECTION)).map(toDeadLetter);
  };
}
