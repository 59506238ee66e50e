import type { Settlement } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, execute, query, type SqliteVerb } from '../verb.js';
import { deadLetterNotices } from './dead-letter-notices.js';
import { givenRows } from './given-rows.js';
import { inLockOrder } from './handler-keys.js';
import { wakeLanes } from './lanes.js';
import { fateOf, keyStateOf, leaseKey, type SettlementRow, toRow } from './settlements.js';

/** A delivery that is still leased as its settlement says. Numbers may be texts on the application's connection. */
interface Held {
  id: number | string;
  claims: number | string;
  event_seq: number | string;
  handler: string;
  priority: number | string;
  attempts: number | string;
  crashes: number | string;
  ordering_key: string | null;
  errors: string | null;
}

/** The deliveries are locked under their fence, and written elsewhere by what was read of them: nobody can come between. */
export function settleMysql(d: Dialect) {
  const t = d.tables;
  // As bytes: the connection may be the application's, with another character set.
  const hold = `select id, claims, event_seq, handler, priority, attempts, crashes, ordering_key,
      cast(errors as binary) as errors
    from ${t.delivery} where id in (?) and lease_node = ? order by id for update`;
  const finish = `insert into ${t.completion} (event_seq, id, handler, outcome, attempts, duration_ms, finished_at, errors) values ?`;
  const bury = `insert into ${t.dead_letter}
    (id, event_seq, handler, reason, priority, attempts, crashes, claims, ordering_key, blocking, errors, dead_at) values ?`;
  const blocks = `select name from ${t.handler} where name in (?) and ordered and on_dead_letter = 'block'`;
  // They are there, and ours: nothing is inserted.
  const giveBack = `insert into ${t.delivery}
      (id, event_seq, handler, priority, available_at, rate_slot, attempts, errors) values ?
    on duplicate key update lease_node = null, available_at = values(available_at), rate_slot = values(rate_slot),
      attempts = values(attempts), errors = values(errors)`;
  const keys = givenRows(d, { handler: 'text', key: 'text', owner: 'bigint', state: 'text', expires_at: 'bigint' });
  const remember = `update ${keys.table}
    straight_join ${t.idempotency} i on i.handler = g.handler and i.\`key\` = g.\`key\`
    set i.expires_at = g.expires_at, i.state = g.state where i.owner = g.owner and i.state = 'processing'`;
  const remove = `delete from ${t.delivery} where id in (?)`;
  const publishNotices = deadLetterNotices(d);
  const wake = wakeLanes(d);

  return function* (node: number, settlements: readonly Settlement[], now: number): SqliteVerb<boolean[]> {
    if (settlements.length === 0) return [];
    yield BEGIN;
    const given = new Map(settlements.toReversed().map((one) => [leaseKey(one), toRow(one)]));
    const held = yield* query<Held>(hold, [settlements.map(({ id }) => id), node]);
    const written = held.flatMap((delivery) => {
      const lease = leaseKey({ id: Number(delivery.id), claims: Number(delivery.claims) });
      const row = given.get(lease);
      return row ? [{ lease, row, delivery }] : [];
    });
    const of = (fate: ReturnType<typeof fateOf>) => written.filter(({ row }) => fateOf(row.outcome) === fate);
    const [finished, dead, back] = [of('finished'), of('dead'), of('back')];
    if (finished.length > 0) {
      yield* execute(finish, [
        finished.map(({ row, delivery: { event_seq, handler, errors } }) => [
          event_seq,
          row.id,
          handler,
          row.outcome,
          row.attempts,
          row.durationMs,
          now,
          errors,
        ]),
      ]);
    }
    if (dead.length > 0) {
      const laned = dead
        .filter(({ delivery }) => delivery.ordering_key !== null)
        .map(({ delivery }) => delivery.handler);
      const blocking = new Set(
        laned.length > 0 ? (yield* query<{ name: string }>(blocks, [laned])).map(({ name }) => name) : [],
      );
      yield* execute(bury, [
        dead.map(({ row, delivery }) => [
          row.id,
          delivery.event_seq,
          delivery.handler,
          row.reason,
          delivery.priority,
          Number(delivery.attempts) + row.attempts,
          delivery.crashes,
          row.claims,
          delivery.ordering_key,
          delivery.ordering_key !== null && blocking.has(delivery.handler),
          errorsOf(delivery, row),
          now,
        ]),
      ]);
    }
    if (back.length > 0) {
      yield* execute(giveBack, [
        back.map(({ row, delivery }) => [
          row.id,
          delivery.event_seq,
          delivery.handler,
          delivery.priority,
          row.availableAt,
          row.rateSlot,
          Number(delivery.attempts) + row.attempts,
          errorsOf(delivery, row),
        ]),
      ]);
    }
    // By the handler of the row: another may have adopted the delivery, and its key, while it ran.
    const completed = written.flatMap(({ row: { id, outcome, key }, delivery: { handler } }) =>
      key ? [{ handler, key: key.key, owner: id, state: keyStateOf(outcome), expires_at: key.expiresAt }] : [],
    );
    if (completed.length > 0) yield* execute(remember, keys.params(completed.toSorted(inLockOrder)));
    const gone = [...finished, ...dead].map(({ row }) => row.id);
    if (gone.length > 0) yield* execute(remove, [gone]);
    yield* wake(written.filter(({ row }) => row.lane !== null).map(({ delivery }) => delivery));
    yield* publishNotices(
      dead.map(({ row }) => row.id),
      now,
    );
    const leases = new Set(written.map(({ lease }) => lease));
    return settlements.map((settlement) => leases.delete(leaseKey(settlement)));
  };
}

function errorsOf({ errors }: Held, { failure }: SettlementRow): string | null {
  if (failure === null) return errors;
  return errors === null ? failure : `${errors}\n${failure}`;
}
