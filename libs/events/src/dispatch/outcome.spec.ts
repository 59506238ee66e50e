/** The table of outcomes, row by row: whole outcomes are compared. */
import { describe, expect, it } from 'vitest';
import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { CircuitOpenError } from '../errors/circuit-open.error.js';
import { HandlerTimeoutError } from '../errors/handler-timeout.error.js';
import { KeyBusyError } from '../errors/key-busy.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { NewerVersionError } from '../errors/newer-version.error.js';
import { PayloadValidationError } from '../errors/payload-validation.error.js';
import { PermanentError } from '../errors/permanent.error.js';
import { RateLimitedError } from '../errors/rate-limited.error.js';
import { RetryableError } from '../errors/retryable.error.js';
import { SnoozeError } from '../errors/snooze.error.js';
import { UpcastError } from '../errors/upcast.error.js';
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

function decide({ error, ...end }: Partial<AttemptEnd> & { error?: { thrown: unknown } }) {
  return decideOutcome(
    { committed: false, duplicate: false, cutOff: false, rateSlot: null, attempt: 1, ...end },
    error,
    { now: NOW, durationMs: 7, retry: (error, spent) => policy.decide(error, spent), describe: failure },
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

  it('and has found its work done is a duplicate, and not spent', () => {
    expect(decide({ duplicate: true, attempt: 3 })).toEqual({ outcome: 'duplicate', attempts: 2, durationMs: 7 });
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
    ['a payload that cannot be lifted', new UpcastError('a.b', 1, 2, 'broken')],
  ])('by %s is dead at once, rejected', (_what, error) => {
    expect(decide(thrown(error))).toEqual({ outcome: 'dead', reason: 'rejected', failure: failure(error) });
  });

  it('by a middleware, after its work was found done, is retried', () => {
    const error = new Error('bug');
    const retry = { outcome: 'retry', availableAt: NOW + 100, failure: failure(error) };
    expect(decide({ duplicate: true, ...thrown(error) })).toEqual(retry);
  });

  it('has no token of the rate limit for the next one: it has run', () => {
    expect(decide({ rateSlot: NOW, ...thrown(new Error('down')) })).not.toHaveProperty('rateSlot');
  });

  it('after its transaction had committed is completed all the same', () => {
    expect(decide({ committed: true, ...thrown(new Error('late')) })).toEqual({ outcome: 'written' });
    const aborted = new AttemptAbortedError('h', 'lease-lost');
    expect(decide({ committed: true, aborted, ...thrown(aborted) })).toEqual({ outcome: 'written' });
  });
});

describe('an attempt that was put back', () => {
  it('by context.snooze waits for as long as it said', () => {
    expect(decide(thrown(new SnoozeError(250)))).toEqual({
      outcome: 'snoozed',
      availableAt: NOW + 250,
      rateSlot: null,
    });
  });

  const refusals = [
    new CircuitOpenError('h', NOW + 900),
    new RateLimitedError('h', NOW + 900),
    new KeyBusyError('h', NOW + 900),
    new NewerVersionError('a.b', 3, 2, NOW + 900),
  ];

  it.each(refusals.map((refusal) => [refusal.name, refusal] as const))(
    'by a %s waits until it says, and keeps its token',
    (_name, refusal) => {
      const snoozed = { outcome: 'snoozed', availableAt: NOW + 900, rateSlot: NOW - 5 };
      expect(decide({ refusal, rateSlot: NOW - 5, ...thrown(refusal) })).toEqual(snoozed);
    },
  );

  it('stays so when a middleware swallows the refusal, or throws something else for it', () => {
    const [refusal] = refusals;
    const snoozed = { outcome: 'snoozed', availableAt: NOW + 900, rateSlot: null };
    expect(decide({ refusal })).toEqual(snoozed);
    expect(decide({ refusal, ...thrown(new PermanentError('its own')) })).toEqual(snoozed);
  });

  it('is over when it is aborted or has committed all the same', () => {
    const [refusal] = refusals;
    expect(decide({ refusal, committed: true })).toEqual({ outcome: 'written' });
    const aborted = new AttemptAbortedError('h', 'cancelled');
    expect(decide({ refusal, aborted, ...thrown(refusal) })).toEqual({ outcome: 'gone' });
  });

  it('by a shutdown goes back as it was, whatever the handler threw because of it', () => {
    const aborted = new AttemptAbortedError('h', 'shutdown');
    expect(decide({ aborted, ...thrown(new PermanentError('aborted')), rateSlot: 5 })).toEqual({
      outcome: 'released',
      rateSlot: 5,
    });
  });
});

describe('an attempt whose handler was cut off, and whose middleware has swallowed that', () => {
  it.each([
    ['shutdown', { outcome: 'released', rateSlot: null }],
    ['cancelled', { outcome: 'gone' }],
    ['lease-lost', { outcome: 'lost' }],
  ] as const)('by %s is not completed', (cause, outcome) => {
    expect(decide({ aborted: new AttemptAbortedError('h', cause), cutOff: true })).toEqual(outcome);
  });

  it('is completed when the handler had ended before the abort', () => {
    const aborted = new AttemptAbortedError('h', 'shutdown');
    expect(decide({ aborted })).toEqual({ outcome: 'completed', attempts: 1, durationMs: 7 });
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
