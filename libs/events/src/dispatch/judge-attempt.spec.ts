/** Scope: from an attempt and what it threw to what is written; the table of outcomes has a spec of its own. */
import { describe, expect, it } from 'vitest';
import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { CircuitOpenError } from '../errors/circuit-open.error.js';
import { newAttempt, newHandler } from '../invoke/attempt.fixture.js';
import type { Attempt } from '../invoke/attempt.js';
import { RetryPolicy } from '../policies/retry.policy.js';
import { judgeAttempt, toSettlement } from './judge-attempt.js';
import type { Outcome } from './outcome.js';

const NOW = 1_000_000;
const handler = newHandler();
const lease = { id: 7, claims: 9, handler: 'h', lane: null, seq: 42 };

function attemptOf(state: Partial<Pick<Attempt, 'committed' | 'duplicate' | 'rateSlot' | 'key'>> = {}): Attempt {
  const attempt = newAttempt(handler, {
    event: { seq: 42 },
    delivery: { id: 7, claims: 9, attempts: 1, crashes: 1 },
  });
  return Object.assign(attempt, state);
}

function judge(attempt: Attempt, ...thrown: unknown[]): Outcome {
  const retry = new RetryPolicy(handler.options.retry, () => 0.5);
  const error = thrown.length > 0 ? { thrown: thrown[0] } : undefined;
  return judgeAttempt(attempt, error, { retry, now: NOW, durationMs: 3, node: 'here' });
}

describe('an attempt', () => {
  it('that returned is completed, attempts and crashes counted', () => {
    expect(judge(attemptOf())).toEqual({ outcome: 'completed', attempts: 3, durationMs: 3 });
  });

  it('that failed is recorded with when, where, and which it was', () => {
    const error = new TypeError('broken');
    expect(judge(attemptOf(), error)).toEqual({
      outcome: 'retry',
      availableAt: NOW + 100,
      failure: {
        at: NOW,
        attempt: 3,
        durationMs: 3,
        node: 'here',
        name: 'TypeError',
        message: 'broken',
        stack: error.stack,
      },
    });
  });

  it('is judged by all that it knows: committed, duplicate, refused, aborted, its token', () => {
    const refused = attemptOf({ rateSlot: NOW - 1 });
    const refusal = refused.refuse(new CircuitOpenError('h', NOW + 50));
    const aborted = attemptOf({ rateSlot: NOW - 1 });
    aborted.abort(new AttemptAbortedError('h', 'shutdown'));
    expect([
      judge(attemptOf({ committed: true }), new Error('late')),
      judge(attemptOf({ duplicate: true })),
      judge(refused, refusal),
      judge(refused),
      judge(aborted, new Error('x')),
    ]).toEqual([
      { outcome: 'written' },
      { outcome: 'duplicate', attempts: 2, durationMs: 3 },
      { outcome: 'snoozed', availableAt: NOW + 50, rateSlot: NOW - 1 },
      { outcome: 'snoozed', availableAt: NOW + 50, rateSlot: NOW - 1 },
      { outcome: 'released', rateSlot: NOW - 1 },
    ]);
  });

  const trap = () => {
    throw new Error('trap');
  };

  it.each([
    ['whose class cannot be asked for', new Proxy(new Error('x'), { getPrototypeOf: trap })],
    ['whose message throws', Object.defineProperty(new Error('x'), 'message', { get: trap })],
    ['whose cause throws', Object.defineProperty(new Error('x'), 'cause', { get: trap })],
    ['that is no Error and cannot be printed', { [Symbol.for('nodejs.util.inspect.custom')]: trap }],
  ])('that threw an error %s has failed like any other', (_what, thrown) => {
    expect(judge(attemptOf(), thrown)).toMatchObject({
      outcome: 'retry',
      availableAt: NOW + 100,
      failure: { name: 'Error', message: 'the error of this attempt cannot be read', attempt: 3, node: 'here' },
    });
  });
});

describe('what is written', () => {
  const key = { key: 'order 1', ttlMs: 5_000 };
  const failure = { at: NOW, attempt: 3, name: 'Error', message: 'down', node: 'here' };

  it.each<Outcome>([
    { outcome: 'completed', attempts: 3, durationMs: 3 },
    { outcome: 'retry', availableAt: NOW + 100, failure },
    { outcome: 'snoozed', availableAt: NOW + 100, rateSlot: 5 },
    { outcome: 'released', rateSlot: 5 },
    { outcome: 'dead', reason: 'rejected', failure },
  ])('of $outcome is that, under the lease, with the key that the attempt has claimed', (outcome) => {
    expect(toSettlement(attemptOf(), outcome, NOW)).toEqual({ ...lease, ...outcome });
    expect(toSettlement(attemptOf({ key }), outcome, NOW)).toEqual({
      ...lease,
      ...outcome,
      key: { key: 'order 1', expiresAt: NOW + 5_000 },
    });
  });

  it('is nothing when the transaction has written it, or nobody wants it any more', () => {
    for (const outcome of ['written', 'gone'] as const)
      expect(toSettlement(attemptOf({ key }), { outcome }, NOW)).toBeUndefined();
  });

  it('gives back what was lost: if the lease holds after all, nobody else would', () => {
    expect(toSettlement(attemptOf(), { outcome: 'lost' }, NOW)).toEqual({ ...lease, outcome: 'released' });
  });
});
