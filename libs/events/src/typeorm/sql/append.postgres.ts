import type { AppendRequest, AppendResult } from '../../store/inbox.store.js';
import type { NewDelivery } from '../../store/records.js';
import type { Tables } from '../tables.js';
import { numberArray, textArray } from '../postgres/array-parameter.js';
import type { Notice } from '../postgres/wake-channel.js';
import { BEGIN, query, type Verb } from '../verb.js';
import { leasePostgres } from './claim.postgres.js';
import { orderingLocks } from './ordering-locks.js';
import { dueAt } from './rows.js';

/**
 * One statement, so one snapshot: the version that it compares is the one its deliveries go by. `seq` is taken in the
 * order given, before the insert, so that deliveries find theirs by number and not by id. The lock per ordering key is
 * a statement before it: `seq` must be taken after the lock is held, or its order would not be commit order.
 * `notice` is sent with the commit: by itself it would cost another.
 */
export function appendPostgres(t: Tables) {
  const lease = leasePostgres(t);
  const lock = `with patience as materialized (select ${patience('$2')})
    select id from ${t.lock} where id = any($1::smallint[]) and exists (select from patience) order by id for update`;
  const [appendKnown, appendFresh] = [appendSql(t, false), appendSql(t, true)];

  return function* (request: AppendRequest, notice?: Notice): Verb<AppendResult> {
    const { events, registryVersion, now, claim } = request;
    const lockWaitMs = request.lockWaitMs?.toString() ?? null;
    const locks = orderingLocks(events);
    if (locks.length > 0 || claim) yield BEGIN;
    if (locks.length > 0) yield* query(lock, [locks, lockWaitMs], 'events:ordering-locks');
    const deliveries: (NewDelivery & { ord: number; dueAt: number | null })[] = [];
    for (const [index, event] of events.entries()) {
      const due = dueAt(event.availableAt, now);
      for (const { handler, priority, orderingKey } of event.deliveries)
        deliveries.push({ ord: index + 1, handler, priority, orderingKey, dueAt: due });
    }
    const isFresh = events.every(({ generatedId }) => generatedId);
    const [row] = yield* query<{ current: boolean; stored: number[] | null }>(
      isFresh ? appendFresh : appendKnown,
      [
        registryVersion,
        now,
        textArray(events, (event) => event.id),
        textArray(events, (event) => event.type),
        numberArray('int', events, (event) => event.version),
        textArray(events, (event) => event.payload),
        textArray(events, (event) => event.headers),
        textArray(events, (event) => event.orderingKey),
        numberArray('smallint', events, (event) => event.priority),
        numberArray('bigint', events, (event) => event.occurredAt),
        numberArray('bigint', events, (event) => dueAt(event.availableAt, now)),
        numberArray('int', deliveries, (delivery) => delivery.ord),
        textArray(deliveries, (delivery) => delivery.handler),
        numberArray('smallint', deliveries, (delivery) => delivery.priority),
        textArray(deliveries, (delivery) => delivery.orderingKey),
        numberArray('bigint', deliveries, (delivery) => delivery.dueAt),
        notice?.channel ?? null,
        notice?.message ?? null,
        lockWaitMs,
      ],
      isFresh ? 'events:append-fresh' : 'events:append',
    );
    const stored = row.stored && new Set(row.stored);
    const result = { stored: events.map((_, index) => stored?.has(index + 1) ?? true), fannedOut: row.current };
    return claim ? { ...result, claimed: yield* lease(claim) } : result;
  };
}

/**
 * Arrays are unnested in the select list: side by side in `from`, each is written to a store of its own and read back.
 * Ids that others might be inserting go in their order: two who insert the same ones cannot each wait for the other.
 * @param fresh no id of these can be there already: looking for it, and inserting so that another's may come in between,
 *   takes a third of the insert.
 */
function appendSql(t: Tables, fresh: boolean): string {
  return `
    with registry as materialized (select version = $1 as current, ${patience('$19')} from ${t.registry} where id = 1),
    given as materialized (
      select array(
        select nextval((select pg_get_serial_sequence(${literal(t.inbox)}, 'seq')::regclass))
        from generate_series(1, cardinality($3::text[]))
      ) as seqs
    ),
    stored as (
      insert into ${t.inbox} (seq, id, type, version, payload, headers, bytes, ordering_key, priority, occurred_at, received_at, available_at, fanned_out_at)
      select seq, id, type, version, payload::json, headers::json, octet_length(payload), ordering_key, priority, occurred_at, $2, available_at,
        case when (select current from registry) then $2::bigint end
      from (
        select unnest((select seqs from given)) as seq, unnest($3::text[]) as id, unnest($4::text[]) as type,
          unnest($5::int[]) as version, unnest($6::text[]) as payload, unnest($7::text[]) as headers,
          unnest($8::text[]) as ordering_key, unnest($9::smallint[]) as priority, unnest($10::bigint[]) as occurred_at,
          unnest($11::bigint[]) as available_at
      ) e
      ${fresh ? '' : 'order by id, seq on conflict (id) do nothing returning seq'}
    ),
    delivered as (
      insert into ${t.delivery} (event_seq, handler, priority, ordering_key, available_at)
      select event_seq, handler, priority, ordering_key, available_at
      from (
        select (select seqs from given)[unnest($12::int[])] as event_seq, unnest($13::text[]) as handler,
          unnest($14::smallint[]) as priority, unnest($15::text[]) as ordering_key, unnest($16::bigint[]) as available_at,
          generate_series(1, cardinality($12::int[])) as n
      ) d
      where (select current from registry) ${fresh ? '' : 'and event_seq in (select seq from stored) order by n'}
    )
    select (select current from registry) as current,
      ${fresh ? 'null' : 'array(select ord::int from unnest((select seqs from given)) with ordinality g (seq, ord) where seq in (select seq from stored))'} as stored,
      (select pg_notify($17, $18) where $17 is not null)`;
}

/** Sets how long the transaction waits for each lock, before it asks for the first. @param ms a parameter; null = as it is. */
function patience(ms: string): string {
  return `set_config('lock_timeout', coalesce(${ms}, current_setting('lock_timeout')), true) as patience`;
}

/** A quoted name as a text literal. */
function literal(name: string): string {
  return `'${name.replaceAll("'", "''")}'`;
}
