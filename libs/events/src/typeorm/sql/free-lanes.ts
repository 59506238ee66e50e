import type { HandlerRegistration } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { execute, query, type Verb } from '../verb.js';
import { type Lane, wakeLanes } from './lanes.js';

/** Part of a verb: takes lanes from a handler that is not ordered, and blocking dead letters from one that skips them. */
export function freeLanes(d: Dialect) {
  const { delivery, dead_letter: deadLetter } = d.tables;
  const isBlocking = d.type === 'postgres' ? 'blocking' : 'blocking = 1';
  const isMysql = d.type === 'mysql';
  const find = `select handler, ordering_key from ${deadLetter} where handler = ? and ${isBlocking} for update`;
  const unblock = d.sql(`update ${deadLetter} set blocking = false where handler = ? and ${isBlocking}
    ${isMysql ? '' : 'returning handler, ordering_key'}`);
  const unorder = d.sql(`update ${delivery} set ordering_key = null, lane_wait = false
    where handler = ? and ordering_key is not null`);
  const wake = wakeLanes(d);

  return function* ({ name, ordered, onDeadLetter }: HandlerRegistration): Verb<void> {
    if (ordered && onDeadLetter === 'block') return;
    const freed = yield* query<Lane>(isMysql ? find : unblock, [name]);
    if (isMysql && freed.length > 0) yield* execute(unblock, [name]);
    if (ordered) yield* wake(freed);
    else yield* execute(unorder, [name]);
  };
}
