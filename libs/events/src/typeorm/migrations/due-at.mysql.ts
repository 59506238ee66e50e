import type { MigrationScript } from './migration-script.js';

/** Since when a delivery has been due; null = since its event was received, as of all that were staged before. */
export const dueAtMysql = (): MigrationScript => ({
  name: 'DurableEventsDueAt1774742400000',
  up: (t) => [`alter table ${t.delivery} add column due_at bigint`],
  down: (t) => [`alter table ${t.delivery} drop column due_at`],
});
