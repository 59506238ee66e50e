import type { StatsSnapshot } from 'nestjs-durable-events';
import type { Expectation } from './payments-file.js';

/** What `npm run demo -- --json` prints. Durations in milliseconds. */
export interface DemoSummary {
  /** Lines of the file. */
  sent: number;
  /** Answered 202. */
  accepted: number;
  /** Answered 200: this payment id came before. */
  duplicates: number;
  /** Answered 400. */
  refused: number;
  /** Counted by asking the service for every accepted payment. */
  deliveries: number;
  completed: number;
  /** Attempts that failed and were tried again. */
  retried: number;
  dead: number;
  /** Deliveries put back without an attempt spent. */
  snoozed: number;
  /** Deliveries of the rate-limited handler that were put back until they had a token. */
  rateLimited: number;
  /** Calls that the rate-limited handler made in the busiest second, and how many it may. */
  busiestSecond: number;
  busiestSecondAllowed: number;
  /** Users who got the gift of the idempotent handler, and deliveries that found it sent already. */
  gifts: number;
  giftDuplicates: number;
  circuitOpened: number;
  balancesMatch: boolean;
  /** What `/metrics` counted is what the tables say. */
  metricsAgree: boolean;
  /** The states that `/health` went through, in order. */
  health: string[];
  elapsedMs: number;
}

/** What a run came to. */
export interface DemoResult {
  readonly summary: DemoSummary;
  /** What the payments file says must come out. */
  readonly expected: Expectation;
  readonly handlers: StatsSnapshot['handlers'];
  /** Answers to the malformed lines. */
  readonly refusals: readonly string[];
  /** Why the run failed; empty when all is as it should be. */
  readonly problems: readonly string[];
}
