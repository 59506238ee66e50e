import type { Logger } from '@nestjs/common';
import type { Clock, TimerHandle } from '../clock/clock.js';
import type { EventStore } from '../store/event-store.js';
import type { Lease } from '../store/records.js';

export interface HeartbeatOptions {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leaseMs: number;
  /** Attempts under way, whose leases are checked at each beat. */
  readonly leases: () => readonly Lease[];
  /** A delivery runs here whose lease is gone: cancelled, or rescued. */
  readonly onLost: (deliveryId: number) => void;
  /** The node's row is gone: it was declared dead. */
  readonly onEvicted: () => Promise<void>;
  /** No beat was confirmed for so long that others may be about to take the leases. */
  readonly onUnconfirmed: () => void;
}

/** Beats per lease. */
const BEATS = 6;
/** How long before the lease ends a node that cannot beat stops its own work. */
const MARGIN_MS = 5_000;

/**
 * Proves that the node lives. A timer of its own, not one of the schedule module, which deletes every interval before
 * shutdown: the beat goes on until the last delivery is settled.
 */
export class Heartbeat {
  private node = 0;
  private timer: TimerHandle;
  private stopped = true;
  private beating: Promise<void> = Promise.resolve();
  private confirmedAt = 0;
  private unconfirmed = false;
  /** Beats in a row that failed. */
  failures = 0;

  constructor(private readonly options: HeartbeatOptions) {}

  /** Monotonic time of the last confirmed beat. */
  get lastConfirmedAt(): number {
    return this.confirmedAt;
  }

  start(node: number): void {
    this.node = node;
    this.stopped = false;
    this.confirmedAt = this.options.clock.monotonic();
    this.schedule();
  }

  /** The node has a new row. */
  enroll(node: number): void {
    this.node = node;
    this.confirmedAt = this.options.clock.monotonic();
    this.unconfirmed = false;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.options.clock.clearTimeout(this.timer);
    await this.beating;
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = this.options.clock.setTimeout(() => {
      this.beating = this.beat().finally(() => this.schedule());
    }, this.options.leaseMs / BEATS);
  }

  private async beat(): Promise<void> {
    const { store, clock, logger, leases, onLost, onEvicted, onUnconfirmed, leaseMs } = this.options;
    const giveUp = clock.setTimeout(() => this.check(), Math.max(1, this.patienceMs - (clock.monotonic() - this.confirmedAt)));
    try {
      const sentAt = clock.monotonic();
      const alive = await store.beat(this.node);
      if (alive) {
        this.confirmedAt = sentAt;
        this.unconfirmed = false;
      } else await onEvicted();
      await this.readClock();
      const held = leases();
      if (held.length > 0) for (const id of await store.lostLeases(this.node, held)) onLost(id);
      if (this.failures > 0) logger.log(`heartbeat works again after ${this.failures} failures`);
      this.failures = 0;
    } catch (error) {
      this.failures++;
      if (this.failures === 1) logger.error(`heartbeat failed (lease ${leaseMs} ms)`, error instanceof Error ? error.stack : String(error));
      if (clock.monotonic() - this.confirmedAt >= this.patienceMs && !this.unconfirmed) {
        this.unconfirmed = true;
        onUnconfirmed();
      }
    } finally {
      clock.clearTimeout(giveUp);
    }
  }

  /** A beat hangs: what a failed beat would have found is looked at in time all the same. */
  private check(): void {
    if (this.unconfirmed || this.stopped) return;
    this.unconfirmed = true;
    this.options.onUnconfirmed();
  }

  /** With a short lease the margin shrinks to a third of it. */
  private get patienceMs(): number {
    const { leaseMs } = this.options;
    return leaseMs - Math.min(MARGIN_MS, leaseMs / 3);
  }

  /** The clock runs on the database's time, so that nodes with skewed clocks agree on what is due. */
  private async readClock(): Promise<void> {
    await adjustClock(this.options.store, this.options.clock);
  }
}

/** Measures how far the database's clock is ahead of this machine's, half the round trip taken off. */
export async function adjustClock(store: EventStore, clock: Clock): Promise<void> {
  const sentAt = clock.monotonic();
  const databaseNow = await store.ping();
  const roundTripMs = clock.monotonic() - sentAt;
  clock.adjust(databaseNow + roundTripMs / 2 - Date.now());
}
