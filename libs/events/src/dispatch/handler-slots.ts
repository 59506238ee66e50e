import type { HandlerDefinition } from '../discovery/handler-definition.js';
import type { Circuits } from '../invoke/circuits.js';
import type { RateLimits } from '../invoke/rate-limits.js';
import type { Activity } from '../observability/activity.js';
import type { EventsLogger } from '../observability/events-logger.js';
import type { LogStorms } from '../observability/log-storms.js';
import { RetryPolicy } from '../policies/retry.policy.js';
import type { HandlerState } from '../store/handler.store.js';
import { type Claimed, comesBefore, HandlerSlot } from './handler-slot.js';

/** What the slots of a node have in common. */
export interface SlotSurroundings {
  readonly circuits: Circuits;
  readonly limits: RateLimits;
  readonly activity: Activity;
  readonly logger: EventsLogger;
  readonly storms: LogStorms;
}

/** The slots of all handlers of this node. */
export class HandlerSlots implements Iterable<HandlerSlot> {
  private readonly byName = new Map<string, HandlerSlot>();

  /** Makes a slot for each handler. */
  fill(handlers: readonly HandlerDefinition[], { circuits, limits, activity, logger, storms }: SlotSurroundings): void {
    for (const definition of handlers) {
      const { name, options } = definition;
      const about = { handler: name };
      const report = (fault: unknown) =>
        storms.write(logger, {
          level: 'error',
          kind: `errors of retryIf or backoff of handler ${name}`,
          message: () => `retryIf or backoff of ${name} threw: ${String(fault)}`,
          common: about,
          fields: about,
        });
      const retry = new RetryPolicy(options.retry, Math.random, report);
      const breaker = circuits.get(name);
      this.add(new HandlerSlot({ definition, retry, breaker, limits, activity: activity.of(name) }));
    }
  }

  add(slot: HandlerSlot): void {
    this.byName.set(slot.name, slot);
  }

  get(handler: string): HandlerSlot | undefined {
    return this.byName.get(handler);
  }

  /** @throws Error when it is not on this node. */
  require(handler: string): HandlerSlot {
    const slot = this.byName.get(handler);
    if (!slot) throw new Error(`${handler} is not on this node`);
    return slot;
  }

  [Symbol.iterator](): Iterator<HandlerSlot> {
    return this.byName.values();
  }

  /** The slot whose first claimed delivery is the best that may begin now. What may not begin any more goes to `onStale`. */
  best(onStale: (slot: HandlerSlot) => void): HandlerSlot | undefined {
    let best: HandlerSlot | undefined;
    for (const slot of this.byName.values()) {
      const first = slot.queue[0];
      if (!first) continue;
      if (slot.isStale(first)) onStale(slot);
      else if (slot.running < slot.concurrency && (!best || comesBefore(first, best.queue[0]))) best = slot;
    }
    return best;
  }

  /** Takes over who is ordered. */
  order(states: readonly HandlerState[]): void {
    for (const { name, ordered } of states) {
      const slot = this.byName.get(name);
      if (slot) slot.ordered = ordered;
    }
  }

  /** Takes over who is paused; answers those for whom that is new. */
  pause(states: readonly HandlerState[]): HandlerState[] {
    return states.filter(({ name, paused }) => {
      const slot = this.byName.get(name);
      if (!slot || slot.paused === paused) return false;
      slot.paused = paused;
      return true;
    });
  }

  /** Claimed, but not begun. */
  get waiting(): Claimed[] {
    return [...this.byName.values()].flatMap(({ waiting }) => waiting);
  }

  /** Takes those out that have not begun. */
  drop(isMeant: (claimed: Claimed) => boolean): Claimed[] {
    return [...this.byName.values()].flatMap((slot) => slot.drop(isMeant));
  }

  /** Milliseconds until some slot has something to do that nobody will tell. */
  get waitsMs(): number {
    let ms = Infinity;
    for (const slot of this.byName.values()) ms = Math.min(ms, slot.waitsMs);
    return ms;
  }
}
