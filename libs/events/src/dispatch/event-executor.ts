import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../clock/clock.js';
import type { HandlerDefinition } from '../discovery/handler-definition.js';
import { AttemptAbortedError, type AbortCause } from '../errors/attempt-aborted.error.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { Circuits } from '../invoke/circuits.js';
import { DeliveredEvent } from '../envelope/delivered-event.js';
import { Activity } from '../observability/activity.js';
import { RetryPolicy } from '../policies/retry.policy.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import type { ClaimedDelivery, Lease, Settlement } from '../store/records.js';
import { planClaim } from './claim-planner.js';
import { DeliveryRunner } from './delivery-runner.js';
import { comesBefore, HandlerSlot, type Claimed } from './handler-slot.js';
import { Settler } from './settler.js';

/** While this many batches of outcomes wait to be written, nothing is claimed: memory stays bounded. */
const MOST_UNSETTLED_BATCHES = 4;

/**
 * Claims deliveries and runs them. A turn stages what has fallen due, claims what there is room for and starts it; what
 * ends frees its slot at once and is settled together with others.
 */
@Injectable()
export class EventExecutor {
  private readonly logger = new Logger(EventExecutor.name);
  private readonly slots = new Map<string, HandlerSlot>();
  private readonly settler: Settler;
  private circuits!: Circuits;
  private running = 0;
  private suspects = 0;
  private node = 0;
  private nextDueAt = 0;
  private nextStageAt = 0;
  private draining = false;
  private wake: () => void = () => undefined;
  private evicted: () => void = () => undefined;
  private endWaiters: (() => void)[] = [];

  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: ResolvedEventsOptions,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly activity: Activity,
    private readonly runner: DeliveryRunner,
  ) {
    const { batchSize } = options;
    const onSettled = (settlement: Settlement, written: boolean) => this.onSettled(settlement, written);
    this.settler = new Settler({ store, clock, logger: this.logger, batchSize, onSettled });
  }

  /** The handlers of this node, once they are known. `wake` starts a turn; `evicted` says that the node's row is gone. */
  prepare(handlers: readonly HandlerDefinition[], wake: () => void, evicted: () => void): void {
    this.wake = wake;
    this.evicted = evicted;
    this.circuits = new Circuits(handlers, this.clock, (handler, from, to) => {
      this.logger.warn(`circuit of ${handler}: ${from} -> ${to}`);
      if (to === 'open') this.activity.of(handler).circuitOpened++;
      this.wake();
    });
    this.runner.prepare(this.circuits);
    for (const handler of handlers) {
      const { name, options } = handler;
      const report = (fault: unknown) => this.logger.error(`retryIf or backoff of ${name} threw: ${String(fault)}`);
      const retry = new RetryPolicy(options.retry, Math.random, report);
      this.slots.set(name, new HandlerSlot(handler, retry, this.circuits.get(name), this.activity.of(name)));
    }
  }

  /** Leases are taken in this node's name from now on. */
  enroll(node: number): void {
    this.node = node;
    this.draining = false;
  }

  circuitState(handler: string): 'closed' | 'open' | 'half-open' {
    return this.circuits?.get(handler)?.state ?? 'closed';
  }

  /** One turn; true when there is likely more to do at once. */
  async turn(): Promise<boolean> {
    const staged = await this.stage();
    if (this.draining || this.settler.pending > MOST_UNSETTLED_BATCHES * this.options.batchSize) return false;
    const { concurrency, batchSize } = this.options;
    const plan = planClaim(this.slots.values(), { concurrency, batchSize, running: this.running });
    if (plan.wants.length === 0 || plan.limit === 0) return false;

    const { node } = this;
    const claimed = await this.store.claim({ node, ...plan, suspect: this.suspects === 0 });
    if (claimed === null) {
      this.evicted();
      return false;
    }
    this.noteRest(plan, claimed);
    this.accept(claimed, node);
    return staged || claimed.length === batchSize;
  }

  /** How long an idle loop may sleep: until the next delivery falls due or an open circuit lets a trial through. */
  idleMs(): number {
    const { pollIntervalMs } = this.options;
    let ms = pollIntervalMs * (1 + Math.random() * 0.2);
    ms = Math.min(ms, Math.max(0, this.nextDueAt - this.clock.now()));
    for (const { breaker } of this.slots.values()) {
      if (breaker?.state === 'open') ms = Math.min(ms, breaker.retryInMs());
    }
    return Math.max(1, ms);
  }

  /** A delivery falls due at this moment: the loop must not sleep past it. */
  expect(dueAt: number): void {
    this.nextDueAt = Math.min(this.nextDueAt, dueAt);
  }

  /** Leases of attempts under way, for the lease check. */
  get leases(): Lease[] {
    return [...this.runner.running].map(({ delivery }) => delivery);
  }

  /** Aborts the run of a delivery, if it runs here. */
  abort(deliveryId: number, cause: AbortCause): void {
    this.runner.find(deliveryId)?.abort(new AttemptAbortedError(this.runner.find(deliveryId)?.handler.name ?? '', cause));
  }

  abortAll(cause: AbortCause): void {
    for (const attempt of this.runner.running) attempt.abort(new AttemptAbortedError(attempt.handler.name, cause));
  }

  /** Gives back what is claimed but has not begun. */
  release(): void {
    for (const slot of this.slots.values()) this.releaseQueue(slot);
  }

  /** The node was declared dead: its leases are others' now. Nothing to give back, nothing to write. */
  forsake(): void {
    for (const slot of this.slots.values()) for (const { delivery } of slot.queue.splice(0)) this.forget(delivery);
    this.abortAll('lease-lost');
  }

  /** No more claims; gives back what has not begun; aborts what still runs after `timeoutMs`; then all is settled. */
  async drain(timeoutMs: number): Promise<void> {
    this.draining = true;
    this.release();
    if (!(await this.ended(timeoutMs))) {
      this.logger.warn(`${this.running} handlers still run after ${timeoutMs} ms: they are aborted and given back`);
      this.abortAll('shutdown');
      await this.ended();
    }
    await this.settler.idle();
    this.runner.close();
  }

  private async stage(): Promise<boolean> {
    const now = this.clock.now();
    // Other nodes schedule retries too, so the due time known here is looked at anew every interval.
    if (now < this.nextDueAt && this.clock.monotonic() < this.nextStageAt) return false;
    this.nextStageAt = this.clock.monotonic() + this.options.pollIntervalMs;
    this.nextDueAt = Infinity;
    const { staged, nextDueAt } = await this.store.stage(now, this.options.batchSize);
    if (nextDueAt !== null) this.expect(nextDueAt);
    return staged === this.options.batchSize;
  }

  /** After a claim: which handlers may have more waiting than they got. */
  private noteRest(plan: ReturnType<typeof planClaim>, claimed: readonly ClaimedDelivery[]): void {
    if (claimed.length >= plan.limit) return;
    const got = new Map<string, number>();
    for (const { handler } of claimed) got.set(handler, (got.get(handler) ?? 0) + 1);
    for (const { handler, limit } of plan.wants) {
      const slot = this.slots.get(handler);
      if (slot) slot.maybeMore = (got.get(handler) ?? 0) >= limit;
    }
  }

  private accept(claimed: readonly ClaimedDelivery[], node: number): void {
    const events = new Map<number, DeliveredEvent>();
    for (const delivery of claimed) {
      if (delivery.crashes > 0) this.suspects++;
      const slot = this.slots.get(delivery.handler);
      if (!slot) throw new Error(`claimed a delivery of ${delivery.handler}, which is not on this node`);
      let event = events.get(delivery.event.seq);
      if (!event) events.set(delivery.event.seq, (event = new DeliveredEvent(delivery.event)));
      slot.enqueue({ delivery, event, node });
    }
    if (this.draining) this.release();
    this.pump();
  }

  /** Starts what may start, best first over all handlers. */
  private pump(): void {
    while (this.running < this.options.concurrency) {
      const slot = this.best();
      if (!slot) return;
      const claimed = slot.queue.shift() as Claimed;
      this.running++;
      slot.running++;
      void this.run(slot, claimed);
    }
  }

  private best(): HandlerSlot | undefined {
    let best: HandlerSlot | undefined;
    for (const slot of this.slots.values()) {
      const first = slot.queue[0];
      if (!first) continue;
      if (slot.breaker?.state === 'open') this.releaseQueue(slot);
      else if (slot.running < slot.concurrency && (!best || comesBefore(first, best.queue[0] as Claimed))) best = slot;
    }
    return best;
  }

  private async run(slot: HandlerSlot, claimed: Claimed): Promise<void> {
    const { delivery, node } = claimed;
    const startedAt = this.clock.monotonic();
    const outcome = await this.runner.run(slot, claimed);
    slot.measure(this.clock.monotonic() - startedAt);
    this.running--;
    slot.running--;
    this.forget(delivery);
    if (outcome) {
      const { id, claims, handler, event } = delivery;
      this.settler.push(node, { id, claims, handler, seq: event.seq, ...outcome });
    }
    this.pump();
    if (slot.maybeMore && slot.queue.length <= slot.prefetch(this.options.batchSize) / 2) this.wake();
    if (this.running === 0) for (const resolve of this.endWaiters.splice(0)) resolve();
  }

  private releaseQueue(slot: HandlerSlot): void {
    for (const { delivery, node } of slot.queue.splice(0)) {
      const { id, claims, handler, event } = delivery;
      this.settler.push(node, { id, claims, handler, seq: event.seq, outcome: 'released' });
      this.forget(delivery);
    }
  }

  private forget(delivery: ClaimedDelivery): void {
    if (delivery.crashes > 0) this.suspects--;
  }

  private onSettled(settlement: Settlement, written: boolean): void {
    if (!written) this.activity.of(settlement.handler).lost++;
    else if (settlement.outcome === 'retry' || settlement.outcome === 'snoozed') {
      const { nextDueAt } = this;
      this.expect(settlement.availableAt);
      if (this.nextDueAt < nextDueAt) this.wake();
    }
  }

  /** Waits until nothing runs; false when `timeoutMs` passed first. */
  private async ended(timeoutMs = Infinity): Promise<boolean> {
    if (this.running === 0) return true;
    return new Promise((resolve) => {
      const timer = Number.isFinite(timeoutMs) ? this.clock.setTimeout(() => resolve(false), timeoutMs) : undefined;
      this.endWaiters.push(() => {
        if (timer !== undefined) this.clock.clearTimeout(timer);
        resolve(true);
      });
    });
  }
}
