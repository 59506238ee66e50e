import type { EntityManager } from 'typeorm';
import type { Duration } from '../duration.js';

/** What a handler can know and do about the attempt it is in. Abstract class, so that decorated signatures compile. */
export abstract class DeliveryContext {
  /** The handler's name. */
  abstract readonly handler: string;
  abstract readonly deliveryId: string;
  /** This attempt, from 1; attempts that died with their node are counted. */
  abstract readonly attempt: number;
  abstract readonly maxAttempts: number;
  /** Aborts on timeout, shutdown, cancellation and a lost lease. Hand it to whatever can be aborted. */
  abstract readonly signal: AbortSignal;
  /**
   * Runs `work` in a database transaction that also completes this delivery: both commit or neither does, so what `work`
   * writes through the manager happens exactly once. Once per attempt.
   * @throws LeaseLostError when the delivery belongs to another node by now; nothing of `work` was committed.
   */
  abstract transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T>;
  /** Ends this attempt and puts the delivery back for later, without spending an attempt. Throws; let it pass. */
  abstract snooze(delay: Duration): never;
}
