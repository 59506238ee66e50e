import type { Dialect } from '../dialect.js';
import { execute, query, type Verb } from '../verb.js';
import { endHandler } from './retire.js';

/**
 * What becomes of lanes in an update of deliveries that are to be another handler's, who is the parameter: they are that
 * one's, if it orders. What waited for its lane may have another before it now, or none: the next claim will see.
 */
export function moveLane(d: Dialect): string {
  const orders = `exists (select 1 from ${d.tables.handler} h where h.name = ? and h.ordered)`;
  return `lane_wait = false, ordering_key = case when ${orders} then ordering_key end`;
}

/** Part of a verb that changes the registry: a handler takes over all that is another's, which is retired. */
export function adoptHandler(d: Dialect) {
  const { handler: handlers, delivery, dead_letter: deadLetter, idempotency } = d.tables;
  const find = d.sql(`select successor, retired_at from ${handlers} where name = ?`);
  const name = d.sql(`update ${handlers} set successor = ? where name = ?`);
  const move = d.sql(`update ${delivery} set handler = ?, ${moveLane(d)} where handler = ?`);
  const moveLetters = d.sql(`update ${deadLetter} set handler = ? where handler = ?`);
  const columns = `${d.type === 'mysql' ? '`key`' : 'key'}, state, owner, expires_at`;
  const copy = `insert into ${idempotency} (handler, ${columns})
    select ?, ${columns} from ${idempotency} where handler = ? ${d.type === 'mysql' ? 'for update' : ''}`;
  const ifAbsent =
    d.type === 'mysql' ? `on duplicate key update owner = ${idempotency}.owner` : 'on conflict do nothing';
  const remove = d.sql(`delete from ${idempotency} where handler = ?`);
  const end = endHandler(d);

  /** Whoever has a key already keeps it. */
  function* moveKeys(heir: string, former: string): Verb<void> {
    if (d.type === 'postgres') {
      // In one statement: a key may be completed at any moment.
      yield* execute(
        `with gone as (delete from ${idempotency} where handler = $2 returning ${columns})
         insert into ${idempotency} (handler, ${columns}) select $1, ${columns} from gone on conflict do nothing`,
        [heir, former],
      );
    } else {
      yield* execute(`${copy} ${ifAbsent}`, [heir, former]);
      yield* execute(remove, [former]);
    }
  }

  return function* (heir: string, former: string, now: number): Verb<void> {
    const [row] = yield* query<{ successor: string | null; retired_at: number | null }>(find, [former]);
    // Nothing to do at most starts of a node. What has come since then is left to `expireRetired`.
    if (!row || (row.successor === heir && row.retired_at !== null)) return;
    yield* end(former, now);
    yield* execute(name, [heir, former]);
    yield* execute(move, [heir, heir, former]);
    yield* execute(moveLetters, [heir, former]);
    yield* moveKeys(heir, former);
  };
}
