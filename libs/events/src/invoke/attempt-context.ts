import { inspect } from 'node:util';
import type { EntityManager } from 'typeorm';
import type { Clock } from '../clock/clock.js';
import { parseDuration, type Duration } from '../duration.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { SnoozeError } from '../errors/snooze.error.js';
import { TransactionReusedError } from '../errors/transaction-reused.error.js';
import type { AmbientTransaction } from '../publish/ambient-transaction.js';
import { leaseOf } from '../store/lease-of.js';
import type { Settlement } from '../store/records.js';
import type { Transactions } from '../store/transactions.js';
import type { Attempt } from './attempt.js';
import { DeliveryContext } from './delivery-context.js';

/** What an attempt's context needs of its node. */
export interface ContextServices {
  readonly transactions: Pick<Transactions, 'afterCommit'>;
  readonly ambient: AmbientTransaction;
  readonly clock: Clock;
  /** Writes the outcome as part of the transaction; false = the lease is lost. */
  readonly settleIn: (manager: EntityManager, settlement: Settlement) => Promise<boolean>;
}

/** A moment further away fits neither a Date nor a safe integer. */
const LONGEST_SNOOZE_MS = 2 ** 52;

export class AttemptContext extends DeliveryContext {
  private readonly startedAt: number;
  private transactionUsed = false;

  constructor(
    private readonly attemptRun: Attempt,
    private readonly services: ContextServices,
  ) {
    super();
    this.startedAt = services.clock.monotonic();
  }

  get handler(): string {
    return this.attemptRun.handler.name;
  }

  get deliveryId(): string {
    return String(this.attemptRun.delivery.id);
  }

  get attempt(): number {
    return this.attemptRun.attempt;
  }

  get maxAttempts(): number {
    return this.attemptRun.handler.options.retry.maxAttempts;
  }

  get signal(): AbortSignal {
    return this.attemptRun.signal;
  }

  async transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    if (this.transactionUsed) throw new TransactionReusedError(this.handler);
    this.transactionUsed = true;
    const { ambient, transactions } = this.services;
    const joins = ambient.manager !== undefined;
    try {
      const value = await ambient.run(async (manager) => {
        const value = await work(manager);
        await this.complete(manager);
        this.attemptRun.committing = true;
        // Inside somebody else's transaction nothing is final until that one commits.
        if (joins) transactions.afterCommit(manager, () => (this.attemptRun.committed = true));
        return value;
      });
      if (!joins) this.attemptRun.committed = true;
      return value;
    } catch (error) {
      this.attemptRun.committing = false;
      throw error;
    }
  }

  snooze(delay: Duration): never {
    const delayMs = parseDuration(delay);
    if (delayMs === undefined || delayMs > LONGEST_SNOOZE_MS) {
      throw new TypeError(`context.snooze: the delay must be a duration, but is ${inspect(delay)}`);
    }
    throw new SnoozeError(Math.ceil(delayMs));
  }

  /** The fence, last before COMMIT: completes the delivery if this attempt still owns it, else makes the caller roll back. */
  private async complete(manager: EntityManager): Promise<void> {
    const { clock, settleIn } = this.services;
    const { delivery, handler, attempt, aborted, key } = this.attemptRun;
    if (aborted) throw aborted;
    const settlement: Settlement = {
      ...leaseOf(delivery),
      ...(key && { key: { key: key.key, expiresAt: clock.now() + key.ttlMs } }),
      outcome: 'completed',
      attempts: attempt,
      durationMs: Math.round(clock.monotonic() - this.startedAt),
    };
    if (!(await settleIn(manager, settlement))) throw new LeaseLostError(handler.name, this.deliveryId);
  }
}
