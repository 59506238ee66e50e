import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from '../clock/clock.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { leaseOf } from '../store/lease-of.js';
import type { ClaimedDelivery, Settlement } from '../store/records.js';
import { mayHaveBetter } from './claim-planner.js';
import type { DeliveryRunner } from './delivery-runner.js';
import type { Claimed, HandlerSlot } from './handler-slot.js';
import type { HandlerSlots } from './handler-slots.js';
import { keepsLaneWaiting } from './lane-runs.js';
import type { Load } from './load.js';
import type { Settler } from './settler.js';

export interface PumpParts {
  readonly clock: Clock;
  readonly slots: HandlerSlots;
  readonly load: Load;
  readonly runner: DeliveryRunner;
  readonly settler: Settler;
  readonly options: Pick<ResolvedEventsOptions, 'concurrency' | 'batchSize'>;
  /** There may be something to claim. */
  readonly wake: () => void;
}

/** Runs what is claimed, best first over all handlers; what ends frees its place at once and is settled with others. */
export class DeliveryPump {
  private readonly outside = AsyncLocalStorage.snapshot();

  constructor(private readonly parts: PumpParts) {}

  /** Takes over what was claimed. */
  take(claimed: readonly Claimed[]): void {
    const { slots, load } = this.parts;
    for (const one of claimed) {
      if (one.delivery.crashes > 0) load.suspects++;
      slots.require(one.delivery.handler).enqueue(one);
    }
  }

  /** Starts what may start. A publish that brings it must not lend it its async context. */
  start(): void {
    this.outside(() => this.startBest());
  }

  /** For what has been started outside of any publish, as all runs have. */
  private startBest(): void {
    const { slots, load, options, wake } = this.parts;
    while (load.running < options.concurrency) {
      const slot = slots.best((stale) => this.giveBack(stale.takeBack(0)));
      if (!slot) return;
      if (mayHaveBetter(slots, slot.queue[0], options.concurrency - load.running)) {
        wake();
        return;
      }
      const claimed = slot.queue.shift() as Claimed;
      load.begin();
      slot.running++;
      this.run(slot, claimed);
    }
  }

  /**
   * Starts what may start, once the loop has had its next turn. After a full batch that is another claim: it is sent
   * first, since runs that wait for nothing keep the thread busy until all have ended, and the database idle.
   */
  startAfterNextTurn(): void {
    setImmediate(() => setImmediate(() => this.start()));
  }

  /** Gives back all that has not begun. */
  release(): void {
    this.giveBack([...this.parts.slots].flatMap((slot) => slot.takeBack(0)));
  }

  /** The delivery is off this node. After a suspect the next one may be claimed, which no claim before it could say. */
  forget(delivery: ClaimedDelivery): void {
    if (delivery.crashes === 0) return;
    this.parts.load.suspects--;
    this.parts.wake();
  }

  private run(slot: HandlerSlot, claimed: Claimed): void {
    const { clock, runner } = this.parts;
    const startedAt = clock.monotonic();
    void runner
      .run(slot, claimed)
      .then((settlement) => this.ended(slot, claimed, settlement, clock.monotonic() - startedAt));
  }

  private ended(slot: HandlerSlot, { delivery, node }: Claimed, settlement: Settlement | undefined, ms: number): void {
    const { load, settler, options, wake } = this.parts;
    // What was put back or found done says nothing about how long the handler takes.
    const hasRun = settlement?.outcome !== 'snoozed' && settlement?.outcome !== 'duplicate';
    if (hasRun) slot.measure(ms);
    load.end();
    slot.running--;
    this.forget(delivery);
    if (settlement) settler.push(node, settlement);
    else if (delivery.lane !== null) wake();
    if (!keepsLaneWaiting(settlement)) slot.advance(delivery);
    else if (delivery.lane !== null) this.giveBack(slot.lanes.breakOff(delivery.lane));
    this.giveBack(slot.takeBack(slot.keepable));
    this.startBest();
    if (slot.maybeMore && slot.queue.length <= slot.prefetch(options.batchSize) / 2) wake();
  }

  private giveBack(claimed: readonly Claimed[]): void {
    for (const { delivery, node } of claimed) {
      this.parts.settler.push(node, { ...leaseOf(delivery), outcome: 'released', rateSlot: delivery.rateSlot });
      this.forget(delivery);
    }
  }
}
