import type { MigrationScript } from './migration-script.js';

/** Ordering lanes. All three indexes are partial: what is in no lane is in none of them. */
export const lanesSqlite = (prefix: string): MigrationScript => ({
  name: 'DurableEventsLanes1772323200000',
  up: (t) => [
    `alter table ${t.dead_letter} add column blocking integer not null default 0`,
    `create index "${prefix}dead_letter_lane" on ${t.dead_letter} (handler, ordering_key, event_seq) where blocking = 1`,
    `create index "${prefix}delivery_lane_lease" on ${t.delivery} (handler, ordering_key)
      where lease_node is not null and ordering_key is not null`,
    `create index "${prefix}inbox_raw_key" on ${t.inbox} (ordering_key, seq)
      where fanned_out_at is null and ordering_key is not null`,
  ],
  down: (t) => [
    `drop index "${prefix}inbox_raw_key"`,
    `drop index "${prefix}delivery_lane_lease"`,
    `drop index "${prefix}dead_letter_lane"`,
    `alter table ${t.dead_letter} drop column blocking`,
  ],
});
