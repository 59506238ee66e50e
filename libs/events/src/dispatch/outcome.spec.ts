/** The table of outcomes, row by row: whole outcomes are compared. */
import { describe, expect, it } from 'vitest';
import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { CircuitOpenError } from '../errors/circuit-open.error.js';
import { HandlerTimeoutError } from '../errors/handler-timeout.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { PayloadValidationError } from '../errors/payload-validation.error.js';
import { PermanentError } from '../errors/permanent.error.js';
import { RetryableError } from '../errors/retryable.error.js';
import { SnoozeError } from '../errors/snooze.error.js';
import { RetryPolicy } from '../policies/retry.policy.js';
import type { AttemptFailure } from '../store/records.js';
import { decideOutcome, type AttemptEnd } from './outcome.js';

const NOW = 1_000_000;

const policy = new RetryPolicy(
  {
    maxAttempts: 3,
    backoff: 'exponential',
    initialDelayMs: 100,
    maxDelayMs: 60_000,
    jitter: 'none',
    retryIf: (error) => !(error instanceof RangeError),
  },
  () => 0.5,
);

function failure(error: unknown): AttemptFailure {
  const message = error instanceof Error ? error.message : String(error);
  return { at: NOW, attempt: 0, name: 'described', message, node: 'here' };
}

function decide(end: Partial<AttemptEnd>) {
  return decideOutcome(
    { committed: false, attempt: 1, durationMs: 7, ...end },
    { now: NOW, retry: (error, spent) => policy.decide(error, spent), describe: failure },
  );
}

const thrown = (error: unknown) => ({ error: { thrown: error } });

describe('an attempt that returned', () => {
  it('is completed, with all attempts counted', () => {
    expect(decide({ attempt: 2 })).toEqual({ outcome: 'completed', attempts: 2, durationMs: 7 });
  });

  it('leaves nothing to write when its transaction has completed it', () => {
    expect(decide({ committed: true })).toEqual({ outcome: 'written' });
  });
});

describe('an attempt that failed', () => {
  it('is retried after the backoff of the attempts spent', () => {
    const error = new Error('down');
    expect([1, 2].map((attempt) => decide({ ...thrown(error), attempt }))).toEqual([
      { outcome: 'retry', availableAt: NOW + 100, failure: failure(error) },
      { outcome: 'retry', availableAt: NOW + 200, failure: failure(error) },
    ]);
  });

  it('is dead, exhausted, when it was the last', () => {
    const error = new Error('down');
    expect(decide({ ...thrown(error), attempt: 3 })).toEqual({
      outcome: 'dead',
      reason: 'exhausted',
      failure: failure(error),
    });
  });

  it.each([['a text'], [undefined], [null], [0]])('counts a thrown %j as an error', (value) => {
    expect(decide(thrown(value))).toEqual({ outcome: 'retry', availableAt: NOW + 100, failure: failure(value) });
  });

  it('waits as long as the error asks, not as the backoff says', () => {
    const error = new RetryableError('busy', { retryAfter: '30s' });
    expect(decide(thrown(error))).toEqual({ outcome: 'retry', availableAt: NOW + 30_000, failure: failure(error) });
  });

  it('by timeout is retried, whatever the handler threw because of it', () => {
    const aborted = new HandlerTimeoutError('h', 50);
    expect(decide({ aborted, ...thrown(new PermanentError('aborted')) })).toEqual({
      outcome: 'retry',
      availableAt: NOW + 100,
      failure: failure(aborted),
    });
  });

  it.each([
    ['a PermanentError', new PermanentError('never')],
    ['a PermanentError in a cause', new Error('outer', { cause: new PermanentError('never') })],
    ['what retryIf refuses', new RangeError('no')],
    ['a payload that does not fit', new PayloadValidationError('a.b', [])],
  ])('by %s is dead at once, rejected', (_what, error) => {
    expect(decide(thrown(error))).toEqual({ outcome: 'dead', reason: 'rejected', failure: failure(error) });
  });

  it('after its transaction had committed is completed all the same', () => {
    expect(decide({ committed: true, ...thrown(new Error('late')) })).toEqual({ outcome: 'written' });
    const aborted = new AttemptAbortedError('h', 'lease-lost');
    expect(decide({ committed: true, aborted, ...thrown(aborted) })).toEqual({ outcome: 'written' });
  });
});

describe('an attempt that was put back', () => {
  it('by context.snooze waits for as long as it said', () => {
    expect(decide(thrown(new SnoozeError(250)))).toEqual({ outcome: 'snoozed', availableAt: NOW + 250 });
  });

  it('by an open circuit waits until that lets a trial through', () => {
    expect(decide(thrown(new CircuitOpenError('h', 900)))).toEqual({ outcome: 'snoozed', availableAt: NOW + 900 });
  });

  it('by a shutdown goes back as it was, whatever the handler threw because of it', () => {
    const aborted = new AttemptAbortedError('h', 'shutdown');
    expect(decide({ aborted, ...thrown(new PermanentError('aborted')) })).toEqual({ outcome: 'released' });
  });
});

describe('an attempt that is nobody’s any more', () => {
  it('after a cancellation is gone', () => {
    const aborted = new AttemptAbortedError('h', 'cancelled');
    expect(decide({ aborted, ...thrown(new Error('x')) })).toEqual({ outcome: 'gone' });
  });

  it('after losing its lease is lost, be it told or found out by its own transaction', () => {
    const aborted = new AttemptAbortedError('h', 'lease-lost');
    expect(decide({ aborted, ...thrown(new Error('x')) })).toEqual({ outcome: 'lost' });
    expect(decide(thrown(new LeaseLostError('h', '1')))).toEqual({ outcome: 'lost' });
  });
});
