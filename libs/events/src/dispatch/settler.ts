import type { Logger } from '@nestjs/common';
import type { Clock, TimerHandle } from '../clock/clock.js';
import type { EventStore } from '../store/event-store.js';
import type { Settlement } from '../store/records.js';

const MOST_IN_FLIGHT = 2;
const FIRST_ERROR_WAIT_MS = 50;
const LONGEST_ERROR_WAIT_MS = 5_000;

export interface SettlerOptions {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly batchSize: number;
  /** Called once per settlement after it was written, or found lost (`written` false). */
  readonly onSettled: (settlement: Settlement, written: boolean) => void;
}

interface Pending {
  readonly node: number;
  readonly settlement: Settlement;
}

/**
 * Writes outcomes back in batches: what ends while a write is on its way goes with the next, at most two writes at a
 * time. An outcome is never given up: while the database is away it waits here, and `pending` lets the executor stop
 * claiming. Repeating a write that may have succeeded is harmless, the lease fences it.
 */
export class Settler {
  private queue: Pending[] = [];
  private inFlight = 0;
  private inFlightCount = 0;
  private scheduled = false;
  private closed = false;
  private retryTimers = new Map<TimerHandle, () => void>();
  private idleWaiters: (() => void)[] = [];

  constructor(private readonly options: SettlerOptions) {}

  /** Outcomes not yet written. */
  get pending(): number {
    return this.queue.length + this.inFlightCount;
  }

  push(node: number, settlement: Settlement): void {
    this.queue.push({ node, settlement });
    this.schedule();
  }

  /** Resolves when everything pushed so far, and meanwhile, has been written. */
  async idle(): Promise<void> {
    if (this.pending === 0) return;
    await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }

  /** Gives up on what could not be written. */
  close(): void {
    this.closed = true;
    for (const [timer, resume] of this.retryTimers) {
      this.options.clock.clearTimeout(timer);
      resume();
    }
  }

  /** Waits for the end of the event loop's turn, so that all that ends together is written together. */
  private schedule(): void {
    if (this.closed || this.scheduled || this.inFlight >= MOST_IN_FLIGHT || this.queue.length === 0) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      void this.flush();
    });
  }

  private async flush(): Promise<void> {
    const batch = this.takeBatch();
    if (batch.length === 0) return;
    this.inFlight++;
    this.inFlightCount += batch.length;
    // What did not fit in this batch need not wait for its end.
    this.schedule();
    const { onSettled } = this.options;
    const written = await this.write(batch);
    this.inFlight--;
    this.inFlightCount -= batch.length;
    for (const [index, { settlement }] of batch.entries()) onSettled(settlement, written[index] ?? false);
    this.schedule();
    if (this.pending === 0) for (const resolve of this.idleWaiters.splice(0)) resolve();
  }

  /** The longest run of outcomes of one node (they differ only after an eviction), up to a batch. */
  private takeBatch(): Pending[] {
    const node = this.queue[0]?.node;
    let count = 0;
    while (count < this.queue.length && count < this.options.batchSize && this.queue[count]?.node === node) count++;
    return this.queue.splice(0, count);
  }

  private async write(batch: readonly Pending[]): Promise<boolean[]> {
    const { store, clock, logger } = this.options;
    const settlements = batch.map(({ settlement }) => settlement);
    for (let failures = 0; ;) {
      try {
        const written = await store.settle(batch[0]?.node ?? 0, settlements, clock.now());
        if (failures > 0) logger.log(`outcomes are written again after ${failures} failures`);
        return written;
      } catch (error) {
        failures++;
        if (failures === 1) {
          logger.error(
            `could not write ${batch.length} outcomes, will try again`,
            error instanceof Error ? error.stack : String(error),
          );
        }
        const waitMs = Math.min(FIRST_ERROR_WAIT_MS * 2 ** Math.min(failures - 1, 20), LONGEST_ERROR_WAIT_MS);
        if (!this.closed) await this.wait(waitMs);
        if (this.closed) return [];
      }
    }
  }

  private async wait(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.options.clock.setTimeout(() => {
        this.retryTimers.delete(timer);
        resolve();
      }, ms);
      this.retryTimers.set(timer, resolve);
    });
  }
}
