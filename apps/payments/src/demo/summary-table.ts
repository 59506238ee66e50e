import Table from 'cli-table3';
import type { DemoResult } from './demo-result.js';

const PLAIN = { style: { head: [], border: [], compact: true } };
const COUNTS = ['completed', 'duplicates', 'retried', 'dead', 'snoozed', 'circuitOpened'] as const;

/** The result for people: every number, and what it is. */
export function summaryTable({ summary, expected, handlers, refusals, problems }: DemoResult): string {
  const payments = new Table({
    ...PLAIN,
    head: ['payments', '', 'what that is'],
    colAligns: ['left', 'right', 'left'],
  });
  payments.push(
    ['sent', summary.sent, 'lines of the file'],
    ['accepted (202)', summary.accepted, 'stored, and payment.processed published, in one commit'],
    ['duplicates (200)', summary.duplicates, 'the payment id came before: nothing was done'],
    ['refused (400)', summary.refused, 'malformed, see below'],
    ['balances', summary.balancesMatch ? 'right' : 'WRONG', 'to the cent, against the file'],
  );
  const deliveries = new Table({
    ...PLAIN,
    head: ['deliveries', 'completed', 'duplicate', 'retried', 'dead', 'snoozed', 'circuit opened', 'health at the end'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'left'],
  });
  for (const [name, stats] of Object.entries(handlers))
    deliveries.push([name, ...COUNTS.map((count) => stats[count]), stats.health]);
  const { completed, giftDuplicates, retried, dead, snoozed, circuitOpened } = summary;
  deliveries.push([
    'all',
    completed,
    giftDuplicates,
    retried,
    dead,
    snoozed,
    circuitOpened,
    summary.health.at(-1) ?? '',
  ]);
  return [
    payments.toString(),
    deliveries.toString(),
    `${summary.deliveries} deliveries: ${summary.accepted} accepted payments x ${Object.keys(handlers).length} handlers`,
    `dead: ${expected.tooLarge} payments are too large (rejected at once), ${expected.negative} are negative (exhausted)`,
    'retried: attempts that failed and were followed by another, in the outage or on a negative payment',
    'snoozed: put back without an attempt, for a circuit that opened meanwhile or until partner-report has a token again',
    `partner-report (rate limit): put back ${summary.rateLimited} times; ${summary.busiestSecond} calls in its busiest second, of ${summary.busiestSecondAllowed} allowed`,
    `welcome-gift (idempotent by user): ${summary.gifts} gifts, ${summary.giftDuplicates} deliveries found theirs sent already`,
    `refused: ${refusals.join(' | ')}`,
    `/metrics: ${summary.metricsAgree ? 'agree' : 'DO NOT AGREE'} with the tables`,
    `/health: ${summary.health.join(' -> ')}`,
    `took ${(summary.elapsedMs / 1_000).toFixed(1)} s`,
    ...(problems.length === 0
      ? ['all is as the file says']
      : ['NOT as it should be:', ...problems.map((problem) => `  ${problem}`)]),
  ].join('\n');
}
