import type { Clock, TimerHandle } from '../clock/clock.js';
import { stackOf } from '../errors/stack-of.js';
import type { EventsLogger } from '../observability/events-logger.js';
import type { EventStore } from '../store/event-store.js';
import type { Lease } from '../store/records.js';

export interface HeartbeatOptions {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly logger: Pick<EventsLogger, 'log' | 'error'>;
  readonly leaseMs: number;
  /** Attempts under way, whose leases are checked at each beat. */
  readonly leases: () => readonly Lease[];
  /** A delivery runs here whose lease is gone: cancelled, or rescued. */
  readonly onLost: (lease: Lease) => void;
  /** The node's row is gone: it was declared dead. */
  readonly onEvicted: () => Promise<void>;
  /** No beat was confirmed for so long that others may be about to take the leases. */
  readonly onUnconfirmed: () => void;
  /** After that, a beat got through before anybody took them. */
  readonly onConfirmed: () => void;
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
  private unbrokenSince = 0;
  /** Beats in a row that failed. */
  failures = 0;

  constructor(private readonly options: HeartbeatOptions) {}

  /** Monotonic time of the last confirmed beat. */
  get lastConfirmedAt(): number {
    return this.confirmedAt;
  }

  /**
   * Monotonic time since when this node has beaten without a break; Infinity while it does not. Whoever did not beat
   * meanwhile is dead, and not just cut off from the same database.
   */
  get steadySince(): number {
    const isLate = this.options.clock.monotonic() - this.confirmedAt > this.longestGapMs;
    return this.failures > 0 || isLate ? Infinity : this.unbrokenSince;
  }

  start(node: number): void {
    this.stopped = false;
    this.enroll(node);
    this.schedule();
  }

  /** The node has a new row. */
  enroll(node: number): void {
    this.node = node;
    this.confirmedAt = this.unbrokenSince = this.options.clock.monotonic();
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
    const giveUp = clock.setTimeout(
      () => this.check(),
      Math.max(1, this.patienceMs - (clock.monotonic() - this.confirmedAt)),
    );
    try {
      const sentAt = clock.monotonic();
      const { node } = this;
      const alive = await store.beat(node);
      if (alive) this.confirm(sentAt);
      // Unless a claim has found it out meanwhile, and the node has come back under a new id.
      else if (node === this.node) await onEvicted();
      await this.readClock();
      const held = leases();
      if (held.length > 0) {
        const lost = new Set(await store.lostLeases(this.node, held));
        for (const lease of held) if (lost.has(lease.id)) onLost(lease);
      }
      if (this.failures > 0)
        logger.log(`heartbeat works again after ${this.failures} failures`, { failures: this.failures });
      this.failures = 0;
    } catch (error) {
      this.failures++;
      if (this.failures === 1) logger.error(`heartbeat failed (lease ${leaseMs} ms)`, { leaseMs }, stackOf(error));
      if (clock.monotonic() - this.confirmedAt >= this.patienceMs && !this.unconfirmed) {
        this.unconfirmed = true;
        onUnconfirmed();
      }
    } finally {
      clock.clearTimeout(giveUp);
    }
  }

  private confirm(sentAt: number): void {
    if (this.failures > 0 || sentAt - this.confirmedAt > this.longestGapMs) this.unbrokenSince = sentAt;
    this.confirmedAt = sentAt;
    // An answer that took so long tells of a time when others had not taken the leases yet, not of now.
    if (!this.unconfirmed || this.options.clock.monotonic() - sentAt >= this.patienceMs) return;
    this.unconfirmed = false;
    this.options.onConfirmed();
  }

  /** Between two beats that count as unbroken. */
  private get longestGapMs(): number {
    return (2 * this.options.leaseMs) / BEATS;
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
