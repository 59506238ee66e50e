import { describe, expect, it } from 'vitest';
import type { ResolvedRetryOptions } from '../discovery/on-event.options.js';
import { PermanentError } from '../errors/permanent.error.js';
import { RetryableError } from '../errors/retryable.error.js';
import { RetryPolicy } from './retry.policy.js';

/** Scope: what becomes of a delivery after a failed attempt. */
const policy = (changes: Partial<ResolvedRetryOptions> = {}, onFault?: (fault: unknown) => void) =>
  new RetryPolicy(
    {
      maxAttempts: 3,
      backoff: 'linear',
      initialDelayMs: 1000,
      maxDelayMs: 300_000,
      jitter: 'none',
      retryIf: undefined,
      ...changes,
    },
    () => 0.5,
    onFault,
  );
const permanent = new PermanentError('no such account');
const boom = () => {
  throw new Error('boom');
};

describe('RetryPolicy', () => {
  it('retries after the backoff until maxAttempts are spent', () => {
    expect([1, 2, 3, 4].map((spent) => policy().decide(new Error('down'), spent))).toEqual([
      { kind: 'retry', delayMs: 1000 },
      { kind: 'retry', delayMs: 2000 },
      { kind: 'exhausted' },
      { kind: 'exhausted' },
    ]);
  });

  it('uses the random number it was given for jitter', () => {
    expect(policy({ jitter: 'full' }).decide(new Error('down'), 1)).toEqual({ kind: 'retry', delayMs: 500 });
  });

  it.each([undefined, null, 'text', 0, {}, Object.create(null)])('retries a thrown %o', (thrown) => {
    expect(policy().decide(thrown, 1)).toEqual({ kind: 'retry', delayMs: 1000 });
  });

  describe('rejects a PermanentError', () => {
    it.each([
      ['thrown as it is', permanent],
      ['of a subclass', new (class NoAccountError extends PermanentError {})('no')],
      ['in a cause', new Error('outer', { cause: permanent })],
      [
        'deep in causes',
        new Error('1', { cause: new Error('2', { cause: new TypeError('3', { cause: permanent }) }) }),
      ],
      ['under a RetryableError', new RetryableError('again', { cause: permanent, retryAfter: 5 })],
      ['among others in an AggregateError', new AggregateError([new Error('a'), permanent])],
      ['in a cause of a part of an AggregateError', new AggregateError([new Error('a', { cause: permanent })])],
      ['in an AggregateError in a cause', new Error('a', { cause: new AggregateError([permanent]) })],
    ])('%s', (_, error) => {
      expect(policy().decide(error, 1)).toEqual({ kind: 'rejected' });
      expect(policy().decide(error, 3)).toEqual({ kind: 'rejected' });
    });
  });

  it('walks circles of causes and of parts once', () => {
    const circle = new Error('a');
    const inner = new AggregateError([circle]);
    circle.cause = inner;
    inner.cause = inner;
    expect(policy().decide(circle, 1)).toEqual({ kind: 'retry', delayMs: 1000 });
    inner.errors.push(permanent);
    expect(policy().decide(circle, 1)).toEqual({ kind: 'rejected' });
  });

  it('walks a chain of twenty thousand causes', () => {
    let error: Error = permanent;
    for (let i = 0; i < 20_000; i++) error = new Error('outer', { cause: error });
    expect(policy().decide(error, 1)).toEqual({ kind: 'rejected' });
  });

  it('survives an AggregateError whose parts were taken away', () => {
    const error = new AggregateError([]);
    Object.assign(error, { errors: undefined });
    expect(policy().decide(error, 1)).toEqual({ kind: 'retry', delayMs: 1000 });
  });

  describe('retryIf', () => {
    it('gets the error and the attempt that failed, on the last attempt too', () => {
      const asked: unknown[] = [];
      const error = new Error('down');
      const retryIf = (...question: unknown[]) => asked.push(question) > 0;
      const decisions = [1, 2, 3].map((spent) => policy({ retryIf }).decide(error, spent).kind);
      expect({ asked, decisions }).toEqual({
        asked: [1, 2, 3].map((attempt) => [error, attempt]),
        decisions: ['retry', 'retry', 'exhausted'],
      });
    });

    it('rejects by answering false, on the last attempt too', () => {
      expect([1, 3].map((spent) => policy({ retryIf: () => false }).decide(new Error('down'), spent))).toEqual([
        { kind: 'rejected' },
        { kind: 'rejected' },
      ]);
    });

    it('is not asked about a PermanentError', () => {
      expect(policy({ retryIf: boom }, boom).decide(permanent, 1)).toEqual({ kind: 'rejected' });
    });

    it('lets the delivery live when it forgets to answer', () => {
      const retryIf = (() => undefined) as unknown as () => boolean;
      expect(policy({ retryIf }).decide(new Error('down'), 1)).toEqual({ kind: 'retry', delayMs: 1000 });
    });

    it('lets the delivery live when it throws; the error is reported', () => {
      const faults: unknown[] = [];
      const failing = policy({ retryIf: boom }, (fault) => faults.push(fault));
      expect([1, 3].map((spent) => failing.decide(new Error('down'), spent))).toEqual([
        { kind: 'retry', delayMs: 1000 },
        { kind: 'exhausted' },
      ]);
      expect(faults).toEqual([new Error('boom'), new Error('boom')]);
      expect(policy({ retryIf: boom }).decide(new Error('down'), 1)).toEqual({ kind: 'retry', delayMs: 1000 });
    });
  });

  describe('retryAfter', () => {
    it.each([
      ['in milliseconds', new RetryableError('later', { retryAfter: 1500 }), 1500],
      ['as a text', new RetryableError('later', { retryAfter: '30s' }), 30_000],
      ['of zero', new RetryableError('now', { retryAfter: 0 }), 0],
      ['of a fraction, rounded up', new RetryableError('later', { retryAfter: 0.2 }), 1],
      ['over maxDelay', new RetryableError('later', { retryAfter: '2h' }), 7_200_000],
      ['in a cause', new Error('outer', { cause: new RetryableError('later', { retryAfter: 7 }) }), 7],
      ['in an AggregateError', new AggregateError([new Error('a'), new RetryableError('b', { retryAfter: 8 })]), 8],
      [
        'of the outermost that has one',
        new RetryableError('no time', {
          cause: new RetryableError('later', {
            retryAfter: 9,
            cause: new RetryableError('inner', { retryAfter: 10 }),
          }),
        }),
        9,
      ],
    ])('%s wins over the backoff, without jitter', (_, error, delayMs) => {
      expect(policy({ jitter: 'full' }).decide(error, 1)).toEqual({ kind: 'retry', delayMs });
    });

    it.each([undefined, Number.NaN, -1, Infinity, 1e300, '', 'soon', '-5s', null, {}])(
      '%o is none: the backoff holds',
      (retryAfter) => {
        const error = new RetryableError('later', { retryAfter: retryAfter as number });
        expect(policy().decide(error, 2)).toEqual({ kind: 'retry', delayMs: 2000 });
      },
    );

    it('does not win over maxAttempts', () => {
      expect(policy().decide(new RetryableError('later', { retryAfter: 5 }), 3)).toEqual({ kind: 'exhausted' });
    });
  });

  it('retry: false, resolved to one attempt, is exhausted at once', () => {
    expect(policy({ maxAttempts: 1 }).decide(new Error('down'), 1)).toEqual({ kind: 'exhausted' });
  });

  it('reports a backoff function that fails', () => {
    const faults: unknown[] = [];
    const decision = policy({ backoff: boom }, (fault) => faults.push(fault)).decide(new Error('down'), 1);
    expect({ decision, faults }).toEqual({
      decision: { kind: 'retry', delayMs: 300_000 },
      faults: [new Error('boom')],
    });
  });
});
