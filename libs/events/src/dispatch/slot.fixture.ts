import { DeliveredEvent } from '../envelope/delivered-event.js';
import { newDelivery, newHandler } from '../invoke/attempt.fixture.js';
import { HandlerActivity } from '../observability/handler-activity.js';
import { CircuitBreaker } from '../policies/circuit-breaker.policy.js';
import { RetryPolicy } from '../policies/retry.policy.js';
import type { ClaimedDelivery } from '../store/records.js';
import { ManualClock } from '../testing/manual-clock.js';
import type { Claimed } from './handler-slot.js';
import { HandlerSlot } from './handler-slot.js';

/** A state that a handler's slot can be in; left out: nothing runs, nothing is held, nothing limits. */
export interface SlotState {
  readonly concurrency?: number;
  readonly priority?: number;
  readonly running?: number;
  readonly held?: number;
  /** How long its attempts take; unknown before the first. */
  readonly meanMs?: number;
  readonly breaker?: CircuitBreaker;
  /** What the rate limit says. */
  readonly room?: number;
  readonly freeInMs?: number;
  readonly paused?: boolean;
}

/** Two failures open it for a second; two trials at a time. */
export const CIRCUIT = {
  failureThreshold: 2,
  failureRate: 0.1,
  successThreshold: 2,
  openDurationMs: 1_000,
  windowMs: 1_000,
  halfOpenConcurrency: 2,
};

export function newSlot(name: string, state: SlotState = {}, clock = new ManualClock(0)): HandlerSlot {
  const { concurrency = 10, priority = 50, running = 0, held = 0, meanMs, breaker } = state;
  const { room = Infinity, freeInMs = 0, paused = false } = state;
  const definition = newHandler({ name, options: { concurrency, priority, circuit: breaker ? CIRCUIT : false } });
  const slot = new HandlerSlot({
    definition,
    retry: new RetryPolicy(definition.options.retry, () => 0.5),
    breaker,
    limits: { room: () => room, freeInMs: () => freeInMs },
    activity: new HandlerActivity(clock),
  });
  slot.running = running;
  slot.paused = paused;
  if (meanMs !== undefined) slot.measure(meanMs);
  for (let id = 1; id <= held; id++) slot.enqueue(newClaimed({ id, handler: name, priority }));
  return slot;
}

/** Claimed in the circuit's first epoch, unless another is given. */
export function newClaimed(delivery: Partial<ClaimedDelivery> = {}, circuitEpoch = 0): Claimed {
  const claimed = newDelivery(delivery);
  return { delivery: claimed, event: new DeliveredEvent(claimed.event), node: 1, circuitEpoch };
}

/** A circuit of a handler with a concurrency of 10, in this state; in its second epoch unless it is closed. */
export function newBreaker(state: 'closed' | 'open' | 'half-open', clock = new ManualClock(0)): CircuitBreaker {
  const breaker = new CircuitBreaker(
    CIRCUIT,
    10,
    () => clock.monotonic(),
    () => clock.now(),
  );
  if (state !== 'closed') breaker.adopt({ state, epoch: 2, openedAt: state === 'open' ? clock.now() : null });
  return breaker;
}
