import Table from 'cli-table3';
import type { DemoResult } from './demo-result.js';

const PLAIN = { style: { head: [], border: [], compact: true } };

/** The result for people. */
export function summaryTable({ summary, handlers, refusals, problems }: DemoResult): string {
  const payments = new Table({ ...PLAIN, head: ['payments', ''], colAligns: ['left', 'right'] });
  payments.push(
    ['sent', summary.sent],
    ['accepted (202)', summary.accepted],
    ['duplicates (200)', summary.duplicates],
    ['refused (400)', summary.refused],
    ['balances to the cent', summary.balancesMatch ? 'yes' : 'NO'],
  );
  const columns = ['completed', 'retried', 'dead', 'snoozed', 'circuitOpened'] as const;
  const deliveries = new Table({
    ...PLAIN,
    head: ['deliveries', 'completed', 'retried', 'dead', 'snoozed', 'circuit opened', 'health at the end'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'left'],
  });
  for (const [name, stats] of Object.entries(handlers))
    deliveries.push([name, ...columns.map((column) => stats[column]), stats.health]);
  deliveries.push([
    `all ${summary.deliveries}`,
    ...columns.map((column) => summary[column]),
    summary.health.at(-1) ?? '',
  ]);
  return [
    payments.toString(),
    deliveries.toString(),
    'refused because',
    ...refusals.map((reason) => `  ${reason}`),
    `/health went ${summary.health.join(' -> ')}`,
    ...degradedBecause(handlers),
    `took ${(summary.elapsedMs / 1_000).toFixed(1)} s`,
    ...(problems.length === 0
      ? ['all is as the file says']
      : ['NOT as it should be:', ...problems.map((problem) => `  ${problem}`)]),
  ].join('\n');
}

/** A handler that is not healthy at the end is no fault of the run: a tenth of its attempts failed in the last minute. */
function degradedBecause(handlers: DemoResult['handlers']): string[] {
  return Object.entries(handlers)
    .filter(([, { health }]) => health === 'degraded')
    .map(
      ([name, { failed, processed }]) =>
        `  ${name} is degraded: ${failed} of ${processed} attempts failed, and at 10 % in a minute that counts`,
    );
}
