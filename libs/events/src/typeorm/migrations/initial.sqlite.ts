import type { Tables } from '../tables.js';
import type { MigrationScript } from './migration-script.js';

const NOW = `(cast((julianday('now') - 2440587.5) * 86400000 as integer))`;

/** Waiting rows (for a time, for a lane) and leased ones are in no claim index, so they cost claims nothing. */
const CLAIMABLE = 'available_at is null and lease_node is null and lane_wait = 0';

/**
 * AUTOINCREMENT wherever a number must never come again: leases, caches and records outlive their rows.
 * Columns that another program writing events may leave out have defaults.
 */
export const initialSqlite = (prefix: string): MigrationScript => ({
  name: 'DurableEventsInitial1767225600000',
  up: (t) => [
    `create table ${t.inbox} (
      seq integer primary key autoincrement not null,
      id text not null unique,
      type text not null,
      version integer not null default 1,
      payload text not null,
      headers text,
      bytes integer,
      ordering_key text,
      priority integer,
      occurred_at integer not null default ${NOW},
      received_at integer not null default ${NOW},
      available_at integer,
      fanned_out_at integer
    )`,
    `create index "${prefix}inbox_raw" on ${t.inbox} (seq) where fanned_out_at is null`,
    `create table ${t.delivery} (
      id integer primary key autoincrement not null,
      event_seq integer not null,
      handler text not null,
      priority integer not null,
      available_at integer,
      lease_node integer,
      claims integer not null default 0,
      attempts integer not null default 0,
      crashes integer not null default 0,
      ordering_key text,
      lane_wait integer not null default 0,
      errors text
    )`,
    `create index "${prefix}delivery_claim" on ${t.delivery} (handler, priority, id) where ${CLAIMABLE} and crashes = 0`,
    `create index "${prefix}delivery_suspect" on ${t.delivery} (priority, id) where ${CLAIMABLE} and crashes > 0`,
    `create index "${prefix}delivery_due" on ${t.delivery} (available_at) where available_at is not null`,
    `create index "${prefix}delivery_lane" on ${t.delivery} (handler, ordering_key, event_seq) where ordering_key is not null`,
    `create index "${prefix}delivery_event" on ${t.delivery} (event_seq)`,
    `create table ${t.completion} (
      event_seq integer not null,
      id integer not null,
      handler text not null,
      outcome text not null,
      attempts integer not null,
      duration_ms integer,
      finished_at integer not null,
      errors text,
      primary key (event_seq, id)
    ) without rowid`,
    `create index "${prefix}completion_finished_at" on ${t.completion} (finished_at)`,
    `create table ${t.dead_letter} (
      id integer primary key not null,
      event_seq integer not null,
      handler text not null,
      reason text not null,
      priority integer not null,
      attempts integer not null,
      crashes integer not null,
      claims integer not null,
      ordering_key text,
      errors text,
      dead_at integer not null
    )`,
    `create index "${prefix}dead_letter_event" on ${t.dead_letter} (event_seq)`,
    `create index "${prefix}dead_letter_handler" on ${t.dead_letter} (handler, id)`,
    `create index "${prefix}dead_letter_dead_at" on ${t.dead_letter} (dead_at)`,
    `create table ${t.handler} (
      name text primary key not null,
      priority integer not null,
      ordered integer not null,
      on_dead_letter text not null,
      paused integer not null default 0,
      circuit_state text not null default 'closed',
      circuit_epoch integer not null default 0,
      opened_at integer,
      successes integer not null default 0,
      trials text,
      first_seen integer not null,
      last_seen integer not null,
      retired_at integer
    ) without rowid`,
    `create table ${t.subscription} (
      handler text not null,
      pattern text not null,
      node integer not null,
      primary key (handler, pattern, node)
    ) without rowid`,
    `create index "${prefix}subscription_node" on ${t.subscription} (node)`,
    `create table ${t.registry} (id integer primary key not null, version integer not null)`,
    `insert into ${t.registry} (id, version) values (1, 1)`,
    `create table ${t.node} (
      id integer primary key autoincrement not null,
      label text not null,
      host text not null,
      pid integer not null,
      beat integer not null default 0,
      started_at integer not null
    )`,
    `create table ${t.idempotency} (
      handler text not null,
      key text not null,
      state text not null,
      owner integer not null,
      expires_at integer not null,
      primary key (handler, key)
    ) without rowid`,
    `create index "${prefix}idempotency_expires_at" on ${t.idempotency} (expires_at)`,
    `create table ${t.rate_limit} (
      handler text not null,
      key text not null,
      tokens real not null,
      refilled_at integer not null,
      next_slot real not null,
      primary key (handler, key)
    ) without rowid`,
    `create table ${t.lock} (id integer primary key not null)`,
    `insert into ${t.lock} (id)
      with recursive n (id) as (select 0 union all select id + 1 from n where id < 1023) select id from n`,
  ],
  down: (t) => everyTable(t).map((table) => `drop table ${table}`),
});

function everyTable({ migration: _stays, ...ours }: Tables): string[] {
  return Object.values(ours);
}
