import type { HandlerDefinition } from '../discovery/handler-definition.js';
import type { DeliveredEvent } from '../envelope/delivered-event.js';
import type { RateLimits } from '../invoke/rate-limits.js';
import type { HandlerActivity } from '../observability/handler-activity.js';
import type { CircuitBreaker } from '../policies/circuit-breaker.policy.js';
import type { RetryPolicy } from '../policies/retry.policy.js';
import type { ClaimedDelivery } from '../store/records.js';
import { ClaimMark } from './claim-mark.js';

import { LaneRuns } from './lane-runs.js';

/** How much work a handler may hold in hand, as the time it takes to do it. */
const PREFETCH_MS = 50;
/** Weight of the newest attempt in the running mean of their durations. */
const MEAN_WEIGHT = 0.1;
const SHORTEST_MEAN_MS = 0.05;
/** What is held for longer than this before it can begin is better given back: the handler has become slow. */
const LONGEST_HOLD_MS = 1_000;

/** A claimed delivery on its way to its handler. */
export interface Claimed {
  readonly delivery: ClaimedDelivery;
  readonly event: DeliveredEvent;
  /** Who holds the lease. */
  readonly node: number;
  /** Epoch of the handler's circuit in which it was claimed. */
  readonly circuitEpoch: number;
}

/** What a slot looks at. */
export interface SlotParts {
  readonly definition: HandlerDefinition;
  readonly retry: RetryPolicy;
  readonly breaker: CircuitBreaker | undefined;
  readonly limits: Pick<RateLimits, 'room' | 'freeInMs'>;
  readonly activity: HandlerActivity;
}

/**
 * What the executor knows of one handler: what runs, what is claimed but not begun (best first), and how long an attempt
 * takes, from which follows how much it is worth to claim ahead: nothing for slow handlers, whole batches for quick ones.
 */
export class HandlerSlot {
  readonly definition: HandlerDefinition;
  readonly retry: RetryPolicy;
  readonly breaker: CircuitBreaker | undefined;
  readonly activity: HandlerActivity;
  running = 0;
  /** Places kept for what publishes on their way may claim. */
  promised = 0;
  /** What may begin as soon as there is a place. */
  readonly queue: Claimed[] = [];
  readonly mark = new ClaimMark();
  /** What may begin only after another of its lane has ended. */
  readonly lanes = new LaneRuns();
  /** In the cluster's registry. */
  ordered: boolean;
  /** On all nodes, by an operator. */
  paused = false;
  /** The last claim may have left something behind. */
  maybeMore = true;
  /** How many the last claim brought. */
  lastClaim = 0;
  /** Of the delivery claimed last: what is left behind is no better. */
  lastPriority: number;
  /** Monotonic. Before it nobody asks for trials again: there were none. */
  noTrialsBefore = 0;
  private readonly limits: Pick<RateLimits, 'room' | 'freeInMs'>;
  private meanMs: number | undefined;

  constructor({ definition, retry, breaker, limits, activity }: SlotParts) {
    this.definition = definition;
    this.retry = retry;
    this.breaker = breaker;
    this.limits = limits;
    this.activity = activity;
    this.lastPriority = definition.options.priority;
    this.ordered = definition.options.ordering !== false;
  }

  get name(): string {
    return this.definition.name;
  }

  /** How many are claimed, but not begun. */
  get held(): number {
    return this.queue.length + this.lanes.size;
  }

  /** Those. */
  get waiting(): Claimed[] {
    return [...this.queue, ...this.lanes.waiting];
  }

  /** How many may run at once now. */
  get concurrency(): number {
    if (this.paused) return 0;
    return this.breaker ? this.breaker.limit : this.definition.options.concurrency;
  }

  /** How many more are worth claiming, by the rate limit. */
  get room(): number {
    return this.limits.room(this.name);
  }

  get circuitEpoch(): number {
    return this.breaker?.epoch ?? 0;
  }

  /** Its circuit is half-open: deliveries are claimed one by one, as trials. */
  get onTrial(): boolean {
    return !this.paused && this.breaker?.state === 'half-open';
  }

  /** Claimed before its handler was paused or its circuit went on: to be given back. */
  isStale({ circuitEpoch }: Claimed): boolean {
    return this.paused || (this.breaker !== undefined && !this.breaker.permits(circuitEpoch));
  }

  /** Milliseconds until there is something to do that nobody will tell: a trial, or a token of the rate limit. */
  get waitsMs(): number {
    if (this.breaker?.state === 'open') return this.breaker.retryInMs();
    const freeInMs = this.limits.freeInMs(this.name);
    return freeInMs > 0 ? freeInMs : Infinity;
  }

  /**
   * How many deliveries to hold beyond those that can run at once: at most two batches, so that one is on its way while
   * the other runs. None unless the circuit lets everything through.
   */
  prefetch(batchSize: number): number {
    if (this.meanMs === undefined || this.paused || this.breaker?.flows === false) return 0;
    const { concurrency } = this.definition.options;
    return Math.min(2 * batchSize, Math.floor((concurrency * PREFETCH_MS) / Math.max(this.meanMs, SHORTEST_MEAN_MS)));
  }

  /** How much of the queue can begin soon, at the pace of late. */
  get keepable(): number {
    const { concurrency } = this.definition.options;
    return Math.floor((concurrency * LONGEST_HOLD_MS) / Math.max(this.meanMs ?? 0, SHORTEST_MEAN_MS));
  }

  /** Takes over what was claimed. */
  enqueue(claimed: Claimed): void {
    const { lane, priority } = claimed.delivery;
    this.lastPriority = priority;
    if (lane === null || !this.lanes.join(lane, claimed)) this.insert(claimed);
  }

  /** The delivery that has begun, or was dropped, keeps its lane waiting no longer. */
  advance({ lane }: ClaimedDelivery): void {
    const next = lane === null ? undefined : this.lanes.next(lane);
    if (next) this.insert(next);
  }

  /** Takes out what is held beyond so many; of a lane the last first. */
  takeBack(keep: number): Claimed[] {
    const taken = this.lanes.trim(Math.max(0, keep - this.queue.length));
    for (const claimed of this.queue.splice(keep)) {
      taken.push(claimed);
      this.advance(claimed.delivery);
    }
    return taken;
  }

  /** Takes out those that are meant and have not begun; what waited for one of them in its lane may begin. */
  drop(isMeant: (claimed: Claimed) => boolean): Claimed[] {
    const at = this.queue.findIndex(isMeant);
    if (at < 0) return this.lanes.drop(isMeant);
    const dropped = this.queue.splice(at, 1);
    for (const { delivery } of dropped) this.advance(delivery);
    return dropped;
  }

  /** Keeps the queue in order: lower priority first, then older. A claim comes in order, so this is mostly an append. */
  private insert(claimed: Claimed): void {
    let at = this.queue.length;
    while (at > 0 && comesBefore(claimed, this.queue[at - 1])) at--;
    this.queue.splice(at, 0, claimed);
  }

  measure(durationMs: number): void {
    this.meanMs = this.meanMs === undefined ? durationMs : this.meanMs + MEAN_WEIGHT * (durationMs - this.meanMs);
  }
}

/** Lower priority first, then older. */
export function comesBefore(a: Claimed, b: Claimed): boolean {
  return (a.delivery.priority - b.delivery.priority || a.delivery.id - b.delivery.id) < 0;
}
