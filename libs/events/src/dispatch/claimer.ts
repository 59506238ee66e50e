import type { Clock } from '../clock/clock.js';
import { DeliveredEvent } from '../envelope/delivered-event.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import type { EventLifecycle } from '../observability/event-lifecycle.js';
import type { EventStore } from '../store/event-store.js';
import type { ClaimRequest, ClaimWant } from '../store/delivery.store.js';
import type { ClaimedDelivery, HeldLease, Lease } from '../store/records.js';
import { noteRest, planAlong, planClaim } from './claim-planner.js';
import type { Claimed, HandlerSlot } from './handler-slot.js';
import type { HandlerSlots } from './handler-slots.js';
import type { Load } from './load.js';
import type { StrayLeases } from './stray-leases.js';

/** How long nobody asks for trials of a handler that had none to give. */
const NO_TRIALS_MS = 200;

/** Asks the store for deliveries: those of half-open circuits one handler at a time, all others in one claim. */
export class Claimer {
  /** The last claim began at marks and found too little behind them: the next one should follow at once. */
  passedOver = false;
  /** Publishes on their way that claim with their commit. */
  private along = 0;

  constructor(
    private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly options: Pick<ResolvedEventsOptions, 'concurrency' | 'batchSize'>,
    private readonly slots: HandlerSlots,
    private readonly lost: StrayLeases,
    private readonly lifecycle: EventLifecycle,
  ) {}

  /** What the node holds although it is neither waiting here nor among `others`: a claim's answer was lost. */
  async strays(node: number, others: () => readonly Lease[]): Promise<HeldLease[]> {
    // What they bring is known to nobody yet. None begins while there is reason to ask.
    if (this.along > 0) return [];
    return this.lost.find(node, () => [...others(), ...this.slots.waiting.map(({ delivery }) => delivery)]);
  }

  /** Null = the store knows no such node. */
  async batch(node: number, { running, suspects }: Pick<Load, 'running' | 'suspects'>): Promise<Claimed[] | null> {
    const { concurrency, batchSize } = this.options;
    const askedAt = this.clock.monotonic();
    const plan = planClaim(this.slots, { concurrency, batchSize, running, now: askedAt });
    this.passedOver = false;
    if (plan.wants.length === 0 || plan.limit === 0) return [];
    const epochs = this.epochsOf(plan.wants);
    const deliveries = await this.lost.watch(() => this.store.claim({ node, ...plan, suspect: suspects === 0 }));
    if (deliveries === null) return null;
    this.passedOver = noteRest(this.slots, plan, {
      claimed: deliveries,
      askedAt,
      answeredAt: this.clock.monotonic(),
    });
    return this.take(deliveries, node, epochs);
  }

  /**
   * Makes a commit that brings these handlers work, with a claim of it if the node could begin it at once. Undefined
   * `claimed`: no claim was made; null: the store knows no such node.
   */
  async with<T extends { readonly claimed?: readonly ClaimedDelivery[] | null }>(
    node: number,
    { running }: Pick<Load, 'running'>,
    handlers: Iterable<string>,
    commit: (claim?: ClaimRequest) => Promise<T>,
  ): Promise<{ readonly answer: T; readonly claimed?: Claimed[] | null }> {
    const { concurrency, batchSize } = this.options;
    const wants = this.lost.isDue ? [] : planAlong(this.slots, handlers, { concurrency, running });
    if (wants.length === 0) return { answer: await commit() };
    const promise = (places: 1 | -1) => {
      this.along += places;
      for (const { handler, limit } of wants) this.slots.require(handler).promised += places * limit;
    };
    const epochs = this.epochsOf(wants);
    promise(1);
    try {
      const answer = await this.lost.watch(() => commit({ node, wants, limit: batchSize, suspect: false }));
      return { answer, claimed: answer.claimed && this.take(answer.claimed, node, epochs) };
    } finally {
      promise(-1);
    }
  }

  /** The handlers that have trials to ask for now. */
  trialSlots({ running }: Pick<Load, 'running' | 'suspects'>): HandlerSlot[] {
    if (running >= this.options.concurrency) return [];
    const now = this.clock.monotonic();
    return [...this.slots].filter(
      (slot) => slot.onTrial && slot.running + slot.held < slot.concurrency && now >= slot.noTrialsBefore,
    );
  }

  /** Null = the store knows no such node. */
  async trials(
    slot: HandlerSlot,
    node: number,
    { suspects }: Pick<Load, 'running' | 'suspects'>,
  ): Promise<Claimed[] | null> {
    const { circuit } = slot.definition.options;
    if (circuit === false) return [];
    const epoch = slot.circuitEpoch;
    const [most, suspect] = [circuit.halfOpenConcurrency, suspects === 0];
    const request = { node, handler: slot.name, epoch, most, suspect };
    const deliveries = await this.lost.watch(() => this.store.claimTrials(request));
    if (deliveries?.length === 0) slot.noTrialsBefore = this.clock.monotonic() + NO_TRIALS_MS;
    return deliveries && this.take(deliveries, node, () => epoch);
  }

  private take(deliveries: readonly ClaimedDelivery[], node: number, epochOf: (handler: string) => number): Claimed[] {
    const { lifecycle } = this;
    if (lifecycle.wants('claimed')) {
      const counts = new Map<string, number>();
      for (const { handler } of deliveries) counts.set(handler, (counts.get(handler) ?? 0) + 1);
      for (const [handler, count] of counts) lifecycle.emit({ fact: 'claimed', handler, count });
    }
    return toClaimed(deliveries, node, epochOf);
  }

  /** The circuits' epochs now, when a claim is made. */
  private epochsOf(wants: readonly ClaimWant[]): (handler: string) => number {
    const epochs = new Map(wants.map(({ handler }) => [handler, this.slots.get(handler)?.circuitEpoch ?? 0]));
    return (handler) => epochs.get(handler) ?? 0;
  }
}

/** One message for all deliveries of an event. @param epochOf the circuit's epoch when the claim was made. */
function toClaimed(
  deliveries: readonly ClaimedDelivery[],
  node: number,
  epochOf: (handler: string) => number,
): Claimed[] {
  const events = new Map<number, DeliveredEvent>();
  return deliveries.map((delivery) => {
    let event = events.get(delivery.event.seq);
    if (!event) events.set(delivery.event.seq, (event = new DeliveredEvent(delivery.event)));
    return { delivery, event, node, circuitEpoch: epochOf(delivery.handler) };
  });
}
