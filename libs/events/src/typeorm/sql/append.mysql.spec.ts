/** Scope: the lock limit of a publish that waits a moment only, which its connection must not keep. */
import { describe, expect, it } from 'vitest';
import { LockTimeoutError } from '../../errors/lock-timeout.error.js';
import type { NewEvent } from '../../store/records.js';
import type { Tables } from '../tables.js';
import { BEGIN, type StatementResult } from '../verb.js';
import { appendMysql } from './append.mysql.js';

const TABLES = new Proxy({}, { get: (_, name) => name }) as Tables;
const EVENT = { id: 'e', type: 't', payload: '{}', deliveries: [], orderingKey: 'k' } as unknown as NewEvent;
const NOTHING: StatementResult = { rows: [], count: 0, counts: [], rowIds: [1] };

/** Runs it; the insert ends with this error, if one is given. Answers the lock limits that were set, in turn. */
function limitsOf(lockWaitMs: number | undefined, error?: Error): { limits: unknown[]; thrown: unknown } {
  const limits: unknown[] = [];
  const verb = appendMysql(TABLES)({ events: [EVENT], registryVersion: 1, now: 0, lockWaitMs });
  try {
    let step = verb.next(NOTHING);
    while (!step.done) {
      const fails = error && step.value !== BEGIN && step.value.sql.startsWith('insert');
      if (step.value !== BEGIN && step.value.sql.includes('lock_wait')) limits.push(...(step.value.params ?? []));
      step = fails ? verb.throw(error) : verb.next(NOTHING);
    }
    return { limits, thrown: undefined };
  } catch (thrown) {
    return { limits, thrown };
  }
}

describe('a publish on MySQL', () => {
  it('leaves the limit alone when none is asked for', () => {
    expect(limitsOf(undefined)).toEqual({ limits: [], thrown: undefined });
  });

  it('sets it back when it is done', () => {
    expect(limitsOf(100)).toEqual({ limits: [1, 5], thrown: undefined });
  });

  it('sets it back when a lock was waited for in vain, and says so', () => {
    const error = Object.assign(new Error('Lock wait timeout exceeded'), { errno: 1205 });
    const { limits, thrown } = limitsOf(100, error);
    expect(limits).toEqual([1, 5]);
    expect(thrown).toBeInstanceOf(LockTimeoutError);
    expect(thrown).toMatchObject({ code: 'EVENTS_STORE_UNAVAILABLE', cause: error });
  });

  it('sets it back after any other error, which it passes on', () => {
    const error = Object.assign(new Error('Deadlock found'), { errno: 1213 });
    expect(limitsOf(100, error)).toEqual({ limits: [1, 5], thrown: error });
  });
});
