/** Scope: what a handler can do about its attempt, over a store that records what is asked of it. */
import type { EntityManager } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { SnoozeError } from '../errors/snooze.error.js';
import { TransactionReusedError } from '../errors/transaction-reused.error.js';
import { AmbientTransaction } from '../publish/ambient-transaction.js';
import type { EventStore } from '../store/event-store.js';
import type { Settlement } from '../store/records.js';
import { ManualClock } from '../testing/manual-clock.js';
import { AttemptContext } from './attempt-context.js';
import { newAttempt, newHandler } from './attempt.fixture.js';

const manager = {} as EntityManager;

function setUp() {
  const clock = new ManualClock(1_000);
  const steps: string[] = [];
  const settled: Settlement[] = [];
  const commitHooks: (() => void)[] = [];
  const fake = { held: true };
  const store = {
    async transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
      try {
        const value = await work(manager);
        steps.push('commit');
        for (const hook of commitHooks.splice(0)) hook();
        return value;
      } catch (error) {
        steps.push('rollback');
        throw error;
      }
    },
    afterCommit: (_manager: EntityManager, hook: () => void) => void commitHooks.push(hook),
  } as Partial<EventStore> as EventStore;
  const ambient = new AmbientTransaction(store);

  const attempt = newAttempt(newHandler(), {
    event: { seq: 42 },
    delivery: { id: 7, claims: 9, attempts: 1, crashes: 1 },
  });
  const settleIn = async (given: EntityManager, settlement: Settlement) => {
    expect(given).toBe(manager);
    steps.push('fence');
    settled.push(settlement);
    return fake.held;
  };
  const context = new AttemptContext(attempt, { transactions: store, ambient, clock, settleIn });
  return { clock, steps, settled, fake, ambient, attempt, context };
}

describe('a context', () => {
  it('says which attempt of what it is', () => {
    const { handler, deliveryId, attempt, maxAttempts, signal } = setUp().context;
    expect({ handler, deliveryId, attempt, maxAttempts, aborted: signal.aborted }).toEqual({
      handler: 'h',
      deliveryId: '7',
      attempt: 3,
      maxAttempts: 5,
      aborted: false,
    });
  });

  it('has a signal that is aborted already when it is first asked for after an abort', () => {
    const { attempt, context } = setUp();
    const reason = new AttemptAbortedError('h', 'cancelled');
    attempt.abort(reason);
    expect(context.signal.reason).toBe(reason);
  });
});

describe('context.transaction', () => {
  it('completes the delivery last, in the same transaction, under the lease of this attempt', async () => {
    const { clock, steps, settled, attempt, context } = setUp();
    const answer = await context.transaction(async (given) => {
      expect(given).toBe(manager);
      steps.push('work');
      await clock.advance(20);
      return 'answer';
    });
    expect(answer).toBe('answer');
    expect(steps).toEqual(['work', 'fence', 'commit']);
    const settlement = {
      id: 7,
      claims: 9,
      seq: 42,
      lane: null,
      handler: 'h',
      outcome: 'completed',
      attempts: 3,
      durationMs: 20,
    };
    expect(settled).toEqual([settlement]);
    expect(attempt.committed).toBe(true);
  });

  it('completes the idempotency key of the attempt with it, for as long as keys are remembered', async () => {
    const { clock, settled, attempt, context } = setUp();
    attempt.key = { key: 'order 1', ttlMs: 5_000 };
    await context.transaction(() => clock.advance(20));
    expect(settled.map(({ key }) => key)).toEqual([{ key: 'order 1', expiresAt: 6_020 }]);
  });

  it('rolls back when the work fails: nothing is completed', async () => {
    const { steps, attempt, context } = setUp();
    await expect(context.transaction(() => Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect([steps, attempt.committed]).toEqual([['rollback'], false]);
  });

  it('rolls back when the lease is gone', async () => {
    const { steps, fake, attempt, context } = setUp();
    fake.held = false;
    await expect(context.transaction(async () => 1)).rejects.toBeInstanceOf(LeaseLostError);
    expect([steps, attempt.committed]).toEqual([['fence', 'rollback'], false]);
  });

  it('rolls back when the attempt was aborted meanwhile: a leaked run completes nothing', async () => {
    const { steps, attempt, context } = setUp();
    const reason = new AttemptAbortedError('h', 'shutdown');
    await expect(context.transaction(async () => attempt.abort(reason))).rejects.toBe(reason);
    expect([steps, attempt.committed]).toEqual([['rollback'], false]);
  });

  it('needs its lease until its COMMIT is under way, and again when that fails', async () => {
    const { attempt, ambient, context } = setUp();
    const needed: boolean[] = [];
    await ambient.run(async () => {
      await context.transaction(async () => void needed.push(attempt.needsLease));
      needed.push(attempt.needsLease);
    });
    expect([...needed, attempt.needsLease]).toEqual([true, false, false]);

    const other = setUp();
    other.fake.held = false;
    await expect(other.context.transaction(async () => undefined)).rejects.toBeInstanceOf(LeaseLostError);
    expect(other.attempt.needsLease).toBe(true);
  });

  it('works once per attempt, even after it failed', async () => {
    const { context } = setUp();
    await expect(context.transaction(() => Promise.reject(new Error('down')))).rejects.toThrow('down');
    await expect(context.transaction(async () => 1)).rejects.toBeInstanceOf(TransactionReusedError);
  });

  it('inside another transaction has committed only when that one has', async () => {
    const { ambient, attempt, context, steps } = setUp();
    await ambient.run(async () => {
      await context.transaction(async () => undefined);
      expect(attempt.committed).toBe(false);
    });
    expect([steps, attempt.committed]).toEqual([['fence', 'commit'], true]);

    const other = setUp();
    const rolledBack = other.ambient.run(async () => {
      await other.context.transaction(async () => undefined);
      throw new Error('outer');
    });
    await expect(rolledBack).rejects.toThrow('outer');
    expect(other.attempt.committed).toBe(false);
  });
});

describe('context.snooze', () => {
  const snoozed = (delay: unknown): unknown => {
    try {
      return setUp().context.snooze(delay as number);
    } catch (error) {
      return error;
    }
  };

  it.each([
    [250, 250],
    ['2s', 2_000],
    [0, 0],
    [0.2, 1],
  ])('of %j takes %i whole milliseconds', (delay, delayMs) => {
    const error = snoozed(delay);
    expect(error).toBeInstanceOf(SnoozeError);
    expect(error).toMatchObject({ delayMs });
  });

  it.each([-1, Number.NaN, Infinity, 1e300, 'soon', undefined])(
    'refuses %j, which no moment could be stored for',
    (delay) => {
      expect(snoozed(delay)).toBeInstanceOf(TypeError);
    },
  );
});
