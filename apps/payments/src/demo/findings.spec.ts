import type { Delivery, StatsSnapshot } from 'nestjs-durable-events';
import { describe, expect, it } from 'vitest';
import { balanceProblems, type Findings, problemsOf } from './findings.js';
import { Exposition } from './exposition.js';
import type { Expectation } from './payments-file.js';

const expected: Expectation = {
  accepted: 2,
  duplicates: 1,
  refused: 1,
  tooLarge: 1,
  negative: 1,
  users: 1,
  balances: new Map([['ann EUR', 30]]),
};

const delivery = (state: Delivery['state'], reason?: Delivery['reason']) => ({ state, reason }) as Delivery;

/** What the service would count of them. */
const metrics = (completed = 9) =>
  new Exposition(`
events_published_total{event="payment.processed"} 2
events_deliveries_total{outcome="completed"} ${completed}
events_deliveries_total{outcome="skipped"} 1
events_deliveries_total{outcome="dead"} 2
events_deliveries_total{outcome="retried"} 3
events_dead_letters_total{reason="rejected"} 1
events_dead_letters_total{reason="exhausted"} 1
`);

/** Two payments, both suspicious: nothing is wrong with it. */
const good: Findings = {
  answers: [
    { status: 202, body: {} },
    { status: 202, body: {} },
    { status: 200, body: {} },
    { status: 400, body: { message: ['amount: is bad'] } },
  ],
  deliveries: [
    ...Array.from({ length: 9 }, () => delivery('completed')),
    delivery('duplicate'),
    delivery('dead', 'rejected'),
    delivery('dead', 'exhausted'),
  ],
  stats: {
    handlers: {
      'notify-customer': {},
      'account-balance': {},
      'fraud-check': {},
      'ledger-export': {},
      'partner-report': {},
      'welcome-gift': {},
    },
    total: { completed: 9, duplicates: 1, dead: 2, retried: 3, snoozed: 0, circuitOpened: 1 },
  } as unknown as StatsSnapshot,
  metrics: metrics(),
  balances: [{ userId: 'ann', currency: 'EUR', balance: 0.3 }],
  partner: { calls: 2, busiestSecond: 2 },
  healthStates: ['healthy', 'circuit-open', 'healthy'],
  healthFailures: [],
  ended: 'exit code 0',
};

describe('problemsOf', () => {
  it('has nothing to say when all is as the file says', () => {
    expect(problemsOf(good, expected)).toEqual([]);
  });

  it.each<[string, Partial<Findings>, string[]]>([
    [
      'a refusal without a reason',
      { answers: [...good.answers.slice(0, 3), { status: 400, body: {} }] },
      ['refusals that say why: 0, expected 1'],
    ],
    [
      'a payment that failed',
      { answers: [...good.answers.slice(1), { status: 500, body: {} }] },
      ['payments accepted: 1, expected 2', 'published, by the metrics: 2, expected 1'],
    ],
    [
      'a delivery that died of something else',
      { deliveries: [delivery('dead', 'exhausted'), ...good.deliveries.slice(1)] },
      [
        'deliveries completed: 8, expected 9',
        'deliveries dead: 3, expected 2',
        'dead as exhausted (negative): 2, expected 1',
        'completed, by the metrics: 9, expected 8',
        'dead, by the metrics: 2, expected 3',
        'exhausted, by the metrics: 1, expected 2',
      ],
    ],
    ['metrics that count otherwise', { metrics: metrics(8) }, ['completed, by the metrics: 8, expected 9']],
    [
      'a cent too many',
      { balances: [{ userId: 'ann', currency: 'EUR', balance: 0.31 }] },
      ['balance of ann EUR is 31 cents, expected 30'],
    ],
    ['a health that hid the open circuit', { healthStates: ['healthy'] }, ['/health never said circuit-open']],
    ['a health that failed', { healthFailures: ['HTTP 503, unhealthy'] }, ['/health: HTTP 503, unhealthy']],
    [
      'a service that had to be killed',
      { ended: 'killed by SIGKILL' },
      ['the service did not stop cleanly: killed by SIGKILL'],
    ],
    [
      'a health that does not recover',
      { healthStates: ['healthy', 'circuit-open', 'degraded'] },
      ['/health at the end: degraded, expected healthy'],
    ],
    [
      'a handler that the service does not know, although its own numbers agree',
      {
        stats: {
          handlers: { 'notify-customer': {}, 'account-balance': {}, 'fraud-check': {}, 'welcome-gift': {} },
          total: { completed: 7, duplicates: 1, dead: 2, retried: 3, snoozed: 0, circuitOpened: 1 },
        } as unknown as StatsSnapshot,
        deliveries: good.deliveries.slice(2),
      },
      [
        'handlers: account-balance, fraud-check, notify-customer, welcome-gift, expected account-balance, fraud-check, ledger-export, notify-customer, partner-report, welcome-gift',
        'deliveries: 10, expected 12',
        'deliveries completed: 7, expected 9',
        'completed, as the service counts: 7, expected 9',
        'completed, by the metrics: 9, expected 7',
      ],
    ],
    [
      'a gift sent twice',
      { deliveries: [...good.deliveries.filter(({ state }) => state !== 'duplicate'), delivery('completed')] },
      [
        'deliveries completed: 10, expected 9',
        'duplicates of a gift: 0, expected 1',
        'completed, by the metrics: 9, expected 10',
        'duplicates, by the metrics: 1, expected 0',
      ],
    ],
    [
      'a partner called too often',
      { partner: { calls: 2, busiestSecond: 126 } },
      ['the partner got 126 calls in a second, allowed 125'],
    ],
    [
      'a circuit that never opened',
      {
        stats: { ...good.stats, total: { ...good.stats.total, circuitOpened: 0 } },
      },
      ['no circuit opened, although the message service was down'],
    ],
  ])('names %s', (_, change, problems) => {
    expect(problemsOf({ ...good, ...change }, expected)).toEqual(problems);
  });
});

describe('balanceProblems', () => {
  it('names accounts that are missing and accounts that should not be', () => {
    expect(balanceProblems([{ userId: 'bob', currency: 'EUR', balance: 1 }], expected.balances)).toEqual([
      'balance of ann EUR is missing cents, expected 30',
      'balance of bob EUR is 100 cents, expected none',
    ]);
  });
});
