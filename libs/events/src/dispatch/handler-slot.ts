import type { HandlerDefinition } from '../discovery/handler-definition.js';
import type { DeliveredEvent } from '../envelope/delivered-event.js';
import type { HandlerActivity } from '../observability/handler-activity.js';
import type { CircuitBreaker } from '../policies/circuit-breaker.policy.js';
import type { RetryPolicy } from '../policies/retry.policy.js';
import type { ClaimedDelivery } from '../store/records.js';

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
}

/**
 * What the executor knows of one handler: what runs, what is claimed but not begun (best first), and how long an attempt
 * takes, from which follows how much it is worth to claim ahead: nothing for slow handlers, whole batches for quick ones.
 */
export class HandlerSlot {
  running = 0;
  readonly queue: Claimed[] = [];
  /** The last claim may have left something behind. */
  maybeMore = true;
  /** Of the delivery claimed last: what is left behind is no better. */
  lastPriority: number;
  private meanMs: number | undefined;

  constructor(
    readonly definition: HandlerDefinition,
    readonly retry: RetryPolicy,
    readonly breaker: CircuitBreaker | undefined,
    readonly activity: HandlerActivity,
  ) {
    this.lastPriority = definition.options.priority;
  }

  get concurrency(): number {
    const { concurrency, circuit } = this.definition.options;
    if (!this.breaker || circuit === false || this.breaker.state === 'closed') return concurrency;
    return this.breaker.state === 'open' ? 0 : Math.min(concurrency, circuit.halfOpenConcurrency);
  }

  /** How many deliveries to hold beyond those that can run at once. None unless the circuit is closed. */
  prefetch(batchSize: number): number {
    if (this.meanMs === undefined || (this.breaker && this.breaker.state !== 'closed')) return 0;
    const { concurrency } = this.definition.options;
    return Math.min(batchSize, Math.floor((concurrency * PREFETCH_MS) / Math.max(this.meanMs, SHORTEST_MEAN_MS)));
  }

  /** How much of the queue can begin soon, at the pace of late. */
  get keepable(): number {
    const { concurrency } = this.definition.options;
    return Math.floor((concurrency * LONGEST_HOLD_MS) / Math.max(this.meanMs ?? 0, SHORTEST_MEAN_MS));
  }

  /** Keeps the queue in order: lower priority first, then older. A claim comes in order, so this is mostly an append. */
  enqueue(claimed: Claimed): void {
    this.lastPriority = claimed.delivery.priority;
    let at = this.queue.length;
    while (at > 0 && comesBefore(claimed, this.queue[at - 1])) at--;
    this.queue.splice(at, 0, claimed);
  }

  measure(durationMs: number): void {
    this.meanMs = this.meanMs === undefined ? durationMs : this.meanMs + MEAN_WEIGHT * (durationMs - this.meanMs);
  }
}

/** Whether `a` goes first: lower priority, then older. */
export function comesBefore(a: Claimed, b: Claimed): boolean {
  return (a.delivery.priority - b.delivery.priority || a.delivery.id - b.delivery.id) < 0;
}
