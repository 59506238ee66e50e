import type { MigrationScript } from './migration-script.js';

/** What nodes share for the invoker chain. */
export const invokerChainPostgres = (prefix: string): MigrationScript => ({
  name: 'DurableEventsInvokerChain1769904000000',
  up: (t) => [
    `alter table ${t.delivery} add column rate_slot bigint`,
    `alter table ${t.rate_limit} add column full_at bigint not null default 0`,
    `create index "${prefix}rate_limit_full_at" on ${t.rate_limit} (full_at)`,
    `alter table ${t.handler} add column successor varchar(255) collate "C"`,
  ],
  down: (t) => [
    `alter table ${t.handler} drop column successor`,
    `alter table ${t.rate_limit} drop column full_at`,
    `alter table ${t.delivery} drop column rate_slot`,
  ],
});
