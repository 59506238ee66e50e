import type { Clock, TimerHandle } from '../clock/clock.js';
import { OutcomeRefusedError } from '../errors/outcome-refused.error.js';
import { stackOf } from '../errors/stack-of.js';
import type { EventsLogger } from '../observability/events-logger.js';
import type { LogStorms } from '../observability/log-storms.js';
import type { EventStore } from '../store/event-store.js';
import type { Lease, Settlement } from '../store/records.js';

const MOST_IN_FLIGHT = 2;
/** While more batches than this wait to be written, nothing is to be claimed: memory stays bounded. */
const MOST_PENDING_BATCHES = 4;
const FIRST_ERROR_WAIT_MS = 50;
const LONGEST_ERROR_WAIT_MS = 5_000;

export interface SettlerOptions {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly logger: EventsLogger;
  readonly storms: LogStorms;
  readonly batchSize: number;
  /** Label of this node. */
  readonly nodeId: string;
  /** Called once per settlement after it was written, or found lost (`written` false); with what was written in its place. */
  readonly onSettled: (settlement: Settlement, written: boolean) => void;
}

interface Settled {
  readonly settlement: Settlement;
  readonly written: boolean;
}

interface Pending {
  readonly node: number;
  readonly settlement: Settlement;
}

/**
 * Writes outcomes back in batches: what ends while a write is on its way goes with the next, at most two writes at a
 * time. An outcome is never given up: while the database is away it waits here, and `isFull` lets the executor stop
 * claiming. Repeating a write that may have succeeded is harmless, the lease fences it.
 */
export class Settler {
  private queue: Pending[] = [];
  private readonly inFlight = new Set<readonly Pending[]>();
  private scheduled = false;
  private closed = false;
  private retryTimers = new Map<TimerHandle, () => void>();
  private idleWaiters: (() => void)[] = [];

  constructor(private readonly options: SettlerOptions) {}

  /** Outcomes not yet written. */
  get pending(): number {
    let count = this.queue.length;
    for (const batch of this.inFlight) count += batch.length;
    return count;
  }

  get isFull(): boolean {
    return this.pending > MOST_PENDING_BATCHES * this.options.batchSize;
  }

  /** Of outcomes not yet written. */
  get leases(): Lease[] {
    return [...this.queue, ...[...this.inFlight].flat()].map(({ settlement }) => settlement);
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
    if (this.closed || this.scheduled || this.inFlight.size >= MOST_IN_FLIGHT || this.queue.length === 0) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      void this.flush();
    });
  }

  private async flush(): Promise<void> {
    const batch = this.takeBatch();
    if (batch.length === 0) return;
    this.inFlight.add(batch);
    // What did not fit in this batch need not wait for its end.
    this.schedule();
    const { onSettled } = this.options;
    const settled = await this.write(batch);
    this.inFlight.delete(batch);
    for (const { settlement, written } of settled) onSettled(settlement, written);
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

  private async write(batch: readonly Pending[]): Promise<Settled[]> {
    const { store, clock, logger } = this.options;
    const settlements = batch.map(({ settlement }) => settlement);
    for (let failures = 0; ;) {
      try {
        const written = await store.settle(batch[0]?.node ?? 0, settlements, clock.now());
        if (failures > 0) logger.log(`outcomes are written again after ${failures} failures`, { failures });
        return settlements.map((settlement, index) => ({ settlement, written: written[index] ?? false }));
      } catch (error) {
        if (error instanceof OutcomeRefusedError) return this.singleOut(batch, error);
        failures++;
        if (failures === 1) {
          const fields = { outcomes: batch.length };
          logger.error(`could not write ${batch.length} outcomes, will try again`, fields, stackOf(error));
        }
        const waitMs = Math.min(FIRST_ERROR_WAIT_MS * 2 ** Math.min(failures - 1, 20), LONGEST_ERROR_WAIT_MS);
        if (!this.closed) await this.wait(waitMs);
        if (this.closed) return settlements.map((settlement) => ({ settlement, written: false }));
      }
    }
  }

  /**
   * One outcome that the database refuses for its data must not keep back its neighbours, nor itself for ever: halves are
   * written until it is alone. Then its delivery becomes a dead letter that says so; if not even that is taken, its lease
   * stays until this node ends.
   */
  private async singleOut(batch: readonly Pending[], error: OutcomeRefusedError): Promise<Settled[]> {
    const [first, ...others] = batch;
    if (others.length > 0) {
      const half = Math.ceil(batch.length / 2);
      return [...(await this.write(batch.slice(0, half))), ...(await this.write(batch.slice(half)))];
    }
    const { node, settlement } = first;
    const { id, handler, outcome } = settlement;
    const isLastResort = settlement.outcome === 'dead' && settlement.failure?.name === error.name;
    const { logger, storms } = this.options;
    storms.write(logger, {
      level: 'error',
      kind: `refused outcomes of handler ${handler}`,
      message: () =>
        `${handler}, delivery ${id}: the database refuses its outcome '${outcome}': ${isLastResort ? 'it is given up' : 'it becomes a dead letter'}`,
      common: { handler },
      fields: { handler, deliveryId: String(id), outcome },
      stack: () => stackOf(error.cause),
    });
    return isLastResort
      ? [{ settlement, written: false }]
      : this.write([{ node, settlement: this.buried(settlement, error) }]);
  }

  private buried({ id, claims, seq, handler, outcome, ...rest }: Settlement, { name }: Error): Settlement {
    const attempt = 'attempts' in rest ? rest.attempts : 'failure' in rest ? (rest.failure?.attempt ?? 1) : 1;
    const message = `the database refused the outcome '${outcome}' of this attempt`;
    const { clock, nodeId } = this.options;
    const failure = { at: clock.now(), attempt, name, message, node: nodeId };
    return { id, claims, seq, handler, outcome: 'dead', reason: 'rejected', failure };
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
