import type { MigrationScript } from './migration-script.js';

/** Ordering lanes. All three indexes are partial: what is in no lane is in none of them. */
export const lanesPostgres = (prefix: string): MigrationScript => ({
  name: 'DurableEventsLanes1772323200000',
  up: (t) => [
    `alter table ${t.dead_letter} add column blocking boolean not null default false`,
    `create index "${prefix}dead_letter_lane" on ${t.dead_letter} (handler, ordering_key, event_seq) where blocking`,
    `create index "${prefix}delivery_lane_lease" on ${t.delivery} (handler, ordering_key)
      where lease_node is not null and ordering_key is not null`,
    `create index "${prefix}inbox_raw_key" on ${t.inbox} (ordering_key, seq)
      where fanned_out_at is null and ordering_key is not null`,
    `insert into ${t.lock} (id) select generate_series(1024, 2047)`,
  ],
  down: (t) => [
    `delete from ${t.lock} where id >= 1024`,
    ...['inbox_raw_key', 'delivery_lane_lease'].map((name) => `drop index ${indexOf(t.inbox, prefix + name)}`),
    `alter table ${t.dead_letter} drop column blocking`,
  ],
});

/** An index is in the schema of its table. */
function indexOf(table: string, name: string): string {
  return table.includes('.') ? `${table.slice(0, table.indexOf('.'))}."${name}"` : `"${name}"`;
}
