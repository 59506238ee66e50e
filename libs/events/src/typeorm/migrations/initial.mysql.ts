import type { Tables } from '../tables.js';
import type { MigrationScript } from './migration-script.js';

/** Not `unix_timestamp(now(3))`: in the hour that a time zone has twice that is any of two moments. */
const NOW = '(unix_timestamp() * 1000 + floor(microsecond(now(3)) / 1000))';

/** Ids, names and keys: exact, as even a binary collation pads with spaces. 255 characters of up to 4 bytes. */
const NAME = 'varbinary(1020)';
const WORD = 'varchar(16) character set ascii collate ascii_bin';
const TEXT = 'longtext character set utf8mb4 collate utf8mb4_bin';
const ENGINE = 'engine = InnoDB, row_format = dynamic, default character set utf8mb4 collate utf8mb4_bin';

const LOCKS = Array.from({ length: 1024 }, (_, id) => `(${id})`).join(', ');

/**
 * DDL commits by itself here, so each statement may be run again after a migration that died half-way. JSON is text:
 * MySQL's own type would sort keys and drop duplicates. There are no partial indexes; `delivery_claim` serves the order
 * of a claim as it is, since a claim that has to sort locks every candidate.
 * Columns that another program writing events may leave out have defaults.
 */
export const initialMysql = (): MigrationScript => ({
  name: 'DurableEventsInitial1767225600000',
  up: (t) => [
    `create table if not exists ${t.inbox} (
      seq bigint not null auto_increment primary key,
      id ${NAME} not null,
      type ${NAME} not null,
      version integer not null default 1,
      payload ${TEXT} not null,
      headers ${TEXT},
      bytes integer,
      ordering_key ${NAME},
      priority smallint,
      occurred_at bigint not null default ${NOW},
      received_at bigint not null default ${NOW},
      available_at bigint,
      fanned_out_at bigint,
      unique key id (id),
      key raw (fanned_out_at, seq)
    ) ${ENGINE}`,
    `create table if not exists ${t.delivery} (
      id bigint not null auto_increment primary key,
      event_seq bigint not null,
      handler ${NAME} not null,
      priority smallint not null,
      available_at bigint,
      lease_node bigint,
      claims integer not null default 0,
      attempts integer not null default 0,
      crashes integer not null default 0,
      ordering_key ${NAME},
      lane_wait boolean not null default false,
      errors ${TEXT},
      key claim (handler, available_at, lease_node, lane_wait, crashes, priority, id),
      key due (available_at, id),
      key lane (handler, ordering_key, event_seq),
      key event (event_seq)
    ) ${ENGINE}`,
    `create table if not exists ${t.completion} (
      event_seq bigint not null,
      id bigint not null,
      handler ${NAME} not null,
      outcome ${WORD} not null,
      attempts integer not null,
      duration_ms bigint,
      finished_at bigint not null,
      errors ${TEXT},
      primary key (event_seq, id),
      key finished_at (finished_at)
    ) ${ENGINE}`,
    `create table if not exists ${t.dead_letter} (
      id bigint not null primary key,
      event_seq bigint not null,
      handler ${NAME} not null,
      reason ${WORD} not null,
      priority smallint not null,
      attempts integer not null,
      crashes integer not null,
      claims integer not null,
      ordering_key ${NAME},
      errors ${TEXT},
      dead_at bigint not null,
      key event (event_seq),
      key handler (handler, id),
      key dead_at (dead_at)
    ) ${ENGINE}`,
    `create table if not exists ${t.handler} (
      name ${NAME} not null primary key,
      priority smallint not null,
      ordered boolean not null,
      on_dead_letter ${WORD} not null,
      paused boolean not null default false,
      circuit_state ${WORD} not null default 'closed',
      circuit_epoch bigint not null default 0,
      opened_at bigint,
      successes integer not null default 0,
      trials ${TEXT},
      first_seen bigint not null,
      last_seen bigint not null,
      retired_at bigint
    ) ${ENGINE}`,
    `create table if not exists ${t.subscription} (
      handler ${NAME} not null,
      pattern ${NAME} not null,
      node bigint not null,
      primary key (handler, pattern, node),
      key node (node)
    ) ${ENGINE}`,
    `create table if not exists ${t.registry} (id smallint not null primary key, version bigint not null) ${ENGINE}`,
    `insert into ${t.registry} (id, version) values (1, 1) on duplicate key update id = id`,
    `create table if not exists ${t.node} (
      id bigint not null auto_increment primary key,
      label varchar(255) not null,
      host varchar(255) not null,
      pid bigint not null,
      beat bigint not null default 0,
      started_at bigint not null
    ) ${ENGINE}`,
    `create table if not exists ${t.idempotency} (
      handler ${NAME} not null,
      \`key\` ${NAME} not null,
      state ${WORD} not null,
      owner bigint not null,
      expires_at bigint not null,
      primary key (handler, \`key\`),
      key expires_at (expires_at)
    ) ${ENGINE}`,
    `create table if not exists ${t.rate_limit} (
      handler ${NAME} not null,
      \`key\` ${NAME} not null,
      tokens double not null,
      refilled_at bigint not null,
      next_slot double not null,
      primary key (handler, \`key\`)
    ) ${ENGINE}`,
    `create table if not exists ${t.lock} (id smallint not null primary key) ${ENGINE}`,
    `insert into ${t.lock} (id) values ${LOCKS} on duplicate key update id = id`,
  ],
  down: (t) => everyTable(t).map((table) => `drop table if exists ${table}`),
});

function everyTable({ migration: _stays, ...ours }: Tables): string[] {
  return Object.values(ours);
}
