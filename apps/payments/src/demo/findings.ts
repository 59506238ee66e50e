import type { Delivery, StatsSnapshot } from 'nestjs-durable-events';
import { toCents } from '../payments/amount.js';
import { PARTNER_LIMIT } from '../partner/partner-limit.js';
import type { Exposition } from './exposition.js';
import { accountKey, type Expectation } from './payments-file.js';
import type { Answer, Balance, PartnerUsage } from './service-client.js';

/** Those that must run for each payment; the service is not asked, lest one that it has lost goes unnoticed. */
const HANDLERS = [
  'account-balance',
  'fraud-check',
  'ledger-export',
  'notify-customer',
  'partner-report',
  'welcome-gift',
];

/** In any second a full bucket, and what comes back meanwhile; a call may come up to 50 ms after its token. */
export const BUSIEST_SECOND_ALLOWED = PARTNER_LIMIT.burst + PARTNER_LIMIT.limit * 1.05;

/** Everything that the demo has seen of the service. */
export interface Findings {
  readonly answers: readonly Answer[];
  /** Those of every accepted payment. */
  readonly deliveries: readonly Delivery[];
  readonly stats: StatsSnapshot;
  readonly metrics: Exposition;
  readonly balances: readonly Balance[];
  readonly partner: PartnerUsage;
  readonly healthStates: readonly string[];
  readonly healthFailures: readonly string[];
  /** How the process ended, as `ServiceProcess.stop` says it. */
  readonly ended: string;
}

/** Account by account, what is wrong; empty when all balances are to the cent what the file says. */
export function balanceProblems(balances: readonly Balance[], expected: Expectation['balances']): string[] {
  const found = new Map(
    balances.map(({ userId, currency, balance }) => [accountKey(userId, currency), toCents(balance)]),
  );
  return [...new Set([...expected.keys(), ...found.keys()])]
    .filter((account) => found.get(account) !== expected.get(account))
    .map(
      (account) =>
        `balance of ${account} is ${found.get(account) ?? 'missing'} cents, expected ${expected.get(account) ?? 'none'}`,
    );
}

/** What the metrics count otherwise than the tables, or the service itself, a sentence each. */
export function metricProblems({
  metrics,
  answers,
  deliveries,
  stats,
}: Pick<Findings, 'metrics' | 'answers' | 'deliveries' | 'stats'>): string[] {
  const outcome = (name: string) => metrics.sum('events_deliveries_total', { outcome: name });
  const dead = (reason: string) => metrics.sum('events_dead_letters_total', { reason });
  const diedOf = (reason: string) => deliveries.filter((delivery) => delivery.reason === reason).length;
  const checks: [what: string, counted: number, expected: number][] = [
    ['published', metrics.sum('events_published_total', { event: 'payment.processed' }), answered(answers, 202)],
    ['completed', outcome('completed'), inState(deliveries, 'completed')],
    ['duplicates', outcome('skipped'), inState(deliveries, 'duplicate')],
    ['dead', outcome('dead'), inState(deliveries, 'dead')],
    ['rejected', dead('rejected'), diedOf('rejected')],
    ['exhausted', dead('exhausted'), diedOf('exhausted')],
    ['retried', outcome('retried'), stats.total.retried],
    ['snoozed', outcome('snoozed'), stats.total.snoozed],
    ['in flight', metrics.sum('events_in_flight'), 0],
    ['circuits', metrics.sum('events_circuit_state'), 0],
  ];
  return checks
    .filter(([, counted, expected]) => counted !== expected)
    .map(([what, counted, expected]) => `${what}, by the metrics: ${counted}, expected ${expected}`);
}

/** What is not as the file says it should be, a sentence each. */
export function problemsOf(found: Findings, expected: Expectation): string[] {
  const { answers, deliveries, stats, healthStates } = found;
  const allDeliveries = expected.accepted * HANDLERS.length;
  const suspicious = expected.tooLarge + expected.negative;
  // Each user gets one gift.
  const giftDuplicates = expected.accepted - expected.users;
  const completed = allDeliveries - suspicious - giftDuplicates;
  const checks: [what: string, found: unknown, expected: unknown][] = [
    ['handlers', Object.keys(stats.handlers).toSorted().join(', '), HANDLERS.join(', ')],
    ['payments accepted', answered(answers, 202), expected.accepted],
    ['duplicates', answered(answers, 200), expected.duplicates],
    ['payments refused', answered(answers, 400), expected.refused],
    ['refusals that say why', answers.filter(saysWhy).length, expected.refused],
    ['deliveries', deliveries.length, allDeliveries],
    ['deliveries completed', inState(deliveries, 'completed'), completed],
    ['duplicates of a gift', inState(deliveries, 'duplicate'), giftDuplicates],
    ['deliveries dead', inState(deliveries, 'dead'), suspicious],
    [
      'dead as rejected (too large)',
      deliveries.filter(({ reason }) => reason === 'rejected').length,
      expected.tooLarge,
    ],
    [
      'dead as exhausted (negative)',
      deliveries.filter(({ reason }) => reason === 'exhausted').length,
      expected.negative,
    ],
    ['completed, as the service counts', stats.total.completed, completed],
    ['duplicates of a gift, as the service counts', stats.total.duplicates, giftDuplicates],
    ['calls of the partner', found.partner.calls, expected.accepted],
    ['dead, as the service counts', stats.total.dead, suspicious],
    ['/health at the end', healthStates.at(-1), 'healthy'],
  ];
  const problems = checks
    .filter(([, is, should]) => is !== should)
    .map(([what, is, should]) => `${what}: ${String(is)}, expected ${String(should)}`);
  problems.push(...balanceProblems(found.balances, expected.balances), ...metricProblems(found));
  if (found.partner.busiestSecond > BUSIEST_SECOND_ALLOWED)
    problems.push(
      `the partner got ${found.partner.busiestSecond} calls in a second, allowed ${BUSIEST_SECOND_ALLOWED}`,
    );
  if (stats.total.circuitOpened === 0) problems.push('no circuit opened, although the message service was down');
  if (!healthStates.includes('circuit-open')) problems.push('/health never said circuit-open');
  problems.push(...found.healthFailures.map((failure) => `/health: ${failure}`));
  if (found.ended !== 'exit code 0') problems.push(`the service did not stop cleanly: ${found.ended}`);
  return problems;
}

export function answered(answers: readonly Answer[], status: number): number {
  return answers.filter((answer) => answer.status === status).length;
}

export function inState(deliveries: readonly Delivery[], state: Delivery['state']): number {
  return deliveries.filter((delivery) => delivery.state === state).length;
}

function saysWhy({ status, body }: Answer): boolean {
  return status === 400 && [body.message].flat().some((reason) => reason !== undefined && reason.length > 0);
}
