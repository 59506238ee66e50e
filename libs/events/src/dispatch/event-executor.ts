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
import { mayHaveBetter, noteRest, planClaim } from './claim-planner.js';
import { DeliveryRunner } from './delivery-runner.js';
import { comesBefore, HandlerSlot, type Claimed } from './handler-slot.js';
import { Settler } from './settler.js';
import { Stager } from './stager.js';

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
  private readonly stager: Stager;
  private circuits!: Circuits;
  private running = 0;
  private suspects = 0;
  /** In whose name leases are taken; 0 = in nobody's: the node is not, or may not be, registered. */
  private node = 0;
  private held = false;
  private waitsForSettler = false;
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
    const { batchSize, pollIntervalMs } = options;
    const onSettled = (settlement: Settlement, written: boolean) => this.onSettled(settlement, written);
    this.settler = new Settler({ store, clock, logger: this.logger, batchSize, onSettled });
    this.stager = new Stager({ store, clock, batchSize, pollIntervalMs });
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
  }

  /** Nothing more is begun: gives back what is claimed but has not begun, and what a claim under way will bring. */
  hold(): void {
    this.held = true;
    this.release();
  }

  unhold(): void {
    this.held = false;
  }

  circuitState(handler: string): 'closed' | 'open' | 'half-open' {
    return this.circuits?.get(handler)?.state ?? 'closed';
  }

  /** One turn; true when there is likely more to do at once. */
  async turn(): Promise<boolean> {
    const staged = await this.stager.stage();
    const { node } = this;
    this.waitsForSettler = this.tooMuchUnsettled;
    if (this.held || node === 0 || this.waitsForSettler) return false;
    const { concurrency, batchSize } = this.options;
    const plan = planClaim(this.slots.values(), { concurrency, batchSize, running: this.running });
    if (plan.wants.length === 0 || plan.limit === 0) return false;

    const claimed = await this.store.claim({ node, ...plan, suspect: this.suspects === 0 });
    if (claimed === null) {
      // Unless somebody else has found it out meanwhile, and the node has come back under a new id.
      if (node === this.node) this.evicted();
      return false;
    }
    noteRest(this.slots, plan, claimed);
    this.accept(claimed, node);
    return staged || claimed.length === batchSize;
  }

  /** How long an idle loop may sleep: until the next delivery falls due or an open circuit lets a trial through. */
  idleMs(): number {
    const { pollIntervalMs } = this.options;
    let ms = Math.round(pollIntervalMs * (1 + Math.random() * 0.2));
    ms = Math.min(ms, this.stager.dueInMs);
    for (const { breaker } of this.slots.values()) {
      if (breaker?.state === 'open') ms = Math.min(ms, breaker.retryInMs());
    }
    return Math.max(1, ms);
  }

  /** A delivery falls due at this moment: the loop must not sleep past it. */
  expect(dueAt: number): void {
    this.stager.expect(dueAt);
  }

  /** Leases of what runs, or waits here to run, for the lease check. A committed attempt has given its lease up itself. */
  get leases(): Lease[] {
    const running = [...this.runner.running].filter(({ committed }) => !committed);
    const waiting = [...this.slots.values()].flatMap(({ queue }) => queue);
    return [...running, ...waiting].map(({ delivery }) => delivery);
  }

  /** Aborts the run of a delivery, or drops it before it begins, if it is here; with `claims`, only if under that lease. */
  abort(deliveryId: number, cause: AbortCause, claims?: number): void {
    const isMeant = ({ delivery }: { delivery: Lease }) =>
      delivery.id === deliveryId && (claims === undefined || delivery.claims === claims);
    const attempt = this.runner.find(deliveryId);
    if (attempt && isMeant(attempt)) attempt.abort(new AttemptAbortedError(attempt.handler.name, cause));
    for (const { queue } of this.slots.values()) {
      const at = queue.findIndex(isMeant);
      if (at >= 0) for (const { delivery } of queue.splice(at, 1)) this.forget(delivery);
    }
  }

  /**
   * The node was declared dead, or may be soon: it stops everything and claims nothing before it is enrolled (again).
   * What it holds is given back all the same: the fence refuses that if somebody else owns it by now, and if nobody does,
   * it would stay leased to this node for ever.
   */
  forsake(): void {
    this.node = 0;
    this.release();
    this.abortAll('lease-lost');
  }

  /** No more claims; gives back what has not begun; aborts what still runs after `timeoutMs`; then all is settled. */
  async drain(timeoutMs: number): Promise<void> {
    this.hold();
    if (!(await this.ended(timeoutMs))) {
      this.logger.warn(`${this.running} handlers still run after ${timeoutMs} ms: they are aborted and given back`);
      this.abortAll('shutdown');
      await this.ended();
    }
    await this.settler.idle();
    this.runner.close();
  }

  /** Gives up on outcomes that still could not be written; the leases behind them end with the node. */
  close(): void {
    this.settler.close();
    this.runner.close();
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
    // Held, or forsaken, while the claim was under way.
    if (this.held || node !== this.node) this.release();
    this.pump();
  }

  /** Starts what may start, best first over all handlers. */
  private pump(): void {
    while (this.running < this.options.concurrency) {
      const slot = this.best();
      if (!slot) return;
      if (mayHaveBetter(this.slots.values(), slot.queue[0], this.options.concurrency - this.running)) {
        this.wake();
        return;
      }
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
      else if (slot.running < slot.concurrency && (!best || comesBefore(first, best.queue[0]))) best = slot;
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
    this.releaseQueue(slot, slot.keepable);
    this.pump();
    if (slot.maybeMore && slot.queue.length <= slot.prefetch(this.options.batchSize) / 2) this.wake();
    if (this.running === 0) for (const resolve of this.endWaiters.splice(0)) resolve();
  }

  private abortAll(cause: AbortCause): void {
    for (const attempt of this.runner.running) attempt.abort(new AttemptAbortedError(attempt.handler.name, cause));
  }

  private release(): void {
    for (const slot of this.slots.values()) this.releaseQueue(slot);
  }

  private releaseQueue(slot: HandlerSlot, keep = 0): void {
    for (const { delivery, node } of slot.queue.splice(keep)) {
      const { id, claims, handler, event } = delivery;
      this.settler.push(node, { id, claims, handler, seq: event.seq, outcome: 'released' });
      this.forget(delivery);
    }
  }

  /** The delivery is off this node. After a suspect the next one may be claimed, which no claim before it could say. */
  private forget(delivery: ClaimedDelivery): void {
    if (delivery.crashes === 0) return;
    this.suspects--;
    this.wake();
  }

  private get tooMuchUnsettled(): boolean {
    return this.settler.pending > MOST_UNSETTLED_BATCHES * this.options.batchSize;
  }

  private onSettled(settlement: Settlement, written: boolean): void {
    if (this.waitsForSettler && !this.tooMuchUnsettled) {
      this.waitsForSettler = false;
      this.wake();
    }
    if (!written) this.activity.of(settlement.handler).lost++;
    else if (settlement.outcome === 'retry' || settlement.outcome === 'snoozed') {
      if (this.stager.expect(settlement.availableAt)) this.wake();
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
