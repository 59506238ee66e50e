import type { MigrationScript } from './migration-script.js';

/** Ordering lanes. There are no partial indexes; `delivery_lane` of the first migration serves the leases of a lane, too. */
export const lanesMysql = (): MigrationScript => ({
  name: 'DurableEventsLanes1772323200000',
  up: (t) => [
    `alter table ${t.dead_letter} add column blocking boolean not null default false,
      add key lane (blocking, handler, ordering_key, event_seq)`,
    `alter table ${t.inbox} add key raw_key (fanned_out_at, ordering_key, seq)`,
    `insert into ${t.lock} (id) values ${LOCKS} on duplicate key update id = id`,
  ],
  down: (t) => [
    `delete from ${t.lock} where id >= 1024`,
    `alter table ${t.inbox} drop key raw_key`,
    `alter table ${t.dead_letter} drop key lane, drop column blocking`,
  ],
});

const LOCKS = Array.from({ length: 1024 }, (_, index) => `(${1024 + index})`).join(', ');
