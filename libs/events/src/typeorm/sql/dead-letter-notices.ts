import { Buffer } from 'node:buffer';
import { RESERVED_PREFIX } from '../../envelope/event-type-name.js';
import { deadLetterNotice } from '../../store/dead-letter-notice.js';
import type { NewEvent } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { each, execute, query, type SqliteVerb } from '../verb.js';
import { type DeadLetterRow, toDeadLetter } from './rows.js';

type LetterRow = DeadLetterRow & { claims: number };

const TEXTS = new Set(['handler', 'reason', 'errors', 'event_id', 'type', 'payload', 'headers', 'ordering_key']);

/** Part of a verb: publishes the notices of letters that have just died, raw, if anybody subscribes to such. */
export function deadLetterNotices(d: Dialect) {
  const { subscription, dead_letter: deadLetter, inbox } = d.tables;
  const isAwaited = `select 1 from ${subscription} where substr(pattern, 1, ${RESERVED_PREFIX.length}) = '${RESERVED_PREFIX}' limit 1`;
  // JSON as text: the connection may be the application's, whose driver parses it, or whose character set is another.
  const text = (column: string) => `cast(${column} as ${d.type === 'mysql' ? 'binary' : 'text'})`;
  const letters =
    d.sql(`select l.id, l.handler, l.reason, l.attempts, l.crashes, l.claims, ${text('l.errors')} as errors, l.dead_at,
      i.seq, i.id as event_id, i.type, i.version, ${text('i.payload')} as payload, ${text('i.headers')} as headers,
      i.ordering_key, i.priority as event_priority, i.occurred_at, i.received_at
    from ${deadLetter} l join ${inbox} i on i.seq = l.event_seq where ${d.oneOf('l.id')} order by l.id`);
  const store = storeRaw(d);

  return function* (ids: readonly number[], now: number): SqliteVerb<void> {
    if (ids.length === 0 || (yield* query(isAwaited)).length === 0) return;
    const died = (yield* query<LetterRow>(letters, [d.list(ids)])).map(withNumbers);
    const notices = died.flatMap((letter) => deadLetterNotice(toDeadLetter(letter), letter.claims) ?? []);
    if (notices.length > 0) yield* store(notices, now);
  };
}

function storeRaw(d: Dialect) {
  const into = `insert into ${d.tables.inbox} (id, type, version, payload, headers, bytes, occurred_at, received_at)`;
  const fromArrays = `${into} select id, type, version, payload::json, headers::json, bytes, occurred_at, $8
    from unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::int[], $7::bigint[])
      n (id, type, version, payload, headers, bytes, occurred_at)
    on conflict (id) do nothing`;
  const one = `${into} values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do nothing`;
  const rowsOnce = `${into} values ? on duplicate key update id = ${d.tables.inbox}.id`;

  return function* (events: readonly NewEvent[], now: number): SqliteVerb<void> {
    const columns = [
      events.map((event) => event.id),
      events.map((event) => event.type),
      events.map((event) => event.version),
      events.map((event) => event.payload),
      events.map((event) => event.headers),
      events.map((event) => Buffer.byteLength(event.payload)),
      events.map((event) => event.occurredAt),
    ];
    if (d.type === 'postgres') {
      yield* execute(fromArrays, [...columns, now]);
      return;
    }
    const rows = events.map((_, index) => [...columns.map((column) => column[index]), now]);
    if (d.type === 'mysql') yield* execute(rowsOnce, [rows]);
    else yield* each(one, rows);
  };
}

/** The application's driver may answer numbers as texts, or as bigints. */
function withNumbers(row: LetterRow): LetterRow {
  const entries = Object.entries<unknown>({ ...row }).map(([column, value]) => [
    column,
    value === null || TEXTS.has(column) ? value : Number(value),
  ]);
  return Object.fromEntries(entries) as LetterRow;
}
