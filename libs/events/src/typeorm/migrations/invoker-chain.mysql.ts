import type { MigrationScript } from './migration-script.js';

/** What nodes share for the invoker chain. One statement a table, which is done as a whole or not at all. */
export const invokerChainMysql = (): MigrationScript => ({
  name: 'DurableEventsInvokerChain1769904000000',
  up: (t) => [
    `alter table ${t.delivery} add column rate_slot bigint`,
    `alter table ${t.rate_limit} add column full_at bigint not null default 0, add key full_at (full_at)`,
    `alter table ${t.handler} add column successor varbinary(1020)`,
  ],
  down: (t) => [
    `alter table ${t.handler} drop column successor`,
    `alter table ${t.rate_limit} drop column full_at`,
    `alter table ${t.delivery} drop column rate_slot`,
  ],
});
