import type { NodeStatus } from '../dispatch/node-status.js';
import type { CircuitState } from '../policies/circuit-breaker.policy.js';
import type { DeadReason } from '../store/records.js';

/** Which delivery a fact is about. */
export interface DeliveryLabels {
  readonly handler: string;
  /** Of the event. */
  readonly type: string;
  readonly eventId: string;
  readonly deliveryId: string;
  /** From 1. */
  readonly attempt: number;
}

/** Why a delivery waits without having failed. */
export type SnoozeReason =
  'asked' | 'rate-limited' | 'circuit-open' | 'key-busy' | 'newer-version' | 'database-unavailable';

/**
 * What happens, by name. Durations are in milliseconds.
 *
 * | fact | measurements | labels | when |
 * | --- | --- | --- | --- |
 * | `published` | count | type | events were committed |
 * | `duplicate` | | type, eventId | an event with a known id was published again, and left out |
 * | `fannedOut` | events, deliveries | | raw events got their deliveries |
 * | `unhandled` | | type | nobody subscribes to an event |
 * | `claimed` | count | handler | this node has leased deliveries |
 * | `started` | waitMs: since it was due | DeliveryLabels | an attempt begins |
 * | `completed` | durationMs | DeliveryLabels | its handler succeeded |
 * | `skipped` | durationMs | DeliveryLabels | its idempotency key was completed before: the handler did not run |
 * | `retried` | durationMs, delayMs | DeliveryLabels, error | it failed, and will be tried again |
 * | `snoozed` | durationMs, delayMs | DeliveryLabels, reason | it waits, no attempt is spent |
 * | `dead` | durationMs | DeliveryLabels, reason, error | it became a dead letter |
 * | `released` | durationMs | DeliveryLabels | it was stopped by a shutdown, and given back |
 * | `cancelled` | durationMs | DeliveryLabels | it was stopped for good |
 * | `lost` | | handler, deliveryId | its outcome was refused: the delivery belongs to somebody else by now |
 * | `leaked` | | DeliveryLabels | its handler goes on although its signal was aborted |
 * | `redriven`, `discarded` | count | | dead letters were brought back, or deleted |
 * | `rescued` | | node, label | a dead node's deliveries were taken from it |
 * | `circuit` | | handler, from, to | this node learned that a circuit changed |
 * | `handlerPaused`, `handlerResumed` | | handler | this node learned that an operator did so |
 * | `scheduler` | | state | this node's status changed |
 * | `pruned` | rows | | retention deleted rows |
 * | `storeCall` | durationMs | verb, error if it failed | a verb of the store has ended |
 */
export interface LifecycleFacts {
  readonly published: { readonly count: number; readonly type: string };
  readonly duplicate: { readonly type: string; readonly eventId: string };
  readonly fannedOut: { readonly events: number; readonly deliveries: number };
  readonly unhandled: { readonly type: string };
  readonly claimed: { readonly count: number; readonly handler: string };
  readonly started: DeliveryLabels & { readonly waitMs: number };
  readonly completed: DeliveryLabels & { readonly durationMs: number };
  readonly skipped: DeliveryLabels & { readonly durationMs: number };
  /** `error`: the name of its class. */
  readonly retried: DeliveryLabels & {
    readonly durationMs: number;
    readonly delayMs: number;
    readonly error: string;
  };
  readonly snoozed: DeliveryLabels & {
    readonly durationMs: number;
    readonly delayMs: number;
    readonly reason: SnoozeReason;
  };
  readonly dead: DeliveryLabels & {
    readonly durationMs: number;
    readonly reason: DeadReason;
    readonly error: string;
  };
  readonly released: DeliveryLabels & { readonly durationMs: number };
  readonly cancelled: DeliveryLabels & { readonly durationMs: number };
  readonly lost: { readonly handler: string; readonly deliveryId: string };
  readonly leaked: DeliveryLabels;
  readonly redriven: { readonly count: number };
  readonly discarded: { readonly count: number };
  readonly rescued: { readonly node: string; readonly label: string };
  readonly circuit: {
    readonly handler: string;
    readonly from: CircuitState;
    readonly to: CircuitState;
  };
  readonly handlerPaused: { readonly handler: string };
  readonly handlerResumed: { readonly handler: string };
  readonly scheduler: { readonly state: NodeStatus };
  readonly pruned: { readonly rows: number };
  readonly storeCall: { readonly durationMs: number; readonly verb: string; readonly error?: unknown };
}

export type FactName = keyof LifecycleFacts;

/** One of them. Tell them apart by `fact`. */
export type LifecycleFact = { [Name in FactName]: { readonly fact: Name } & LifecycleFacts[Name] }[FactName];

/** Every name, for subscribing to all. */
export const FACT_NAMES = Object.keys({
  published: true,
  duplicate: true,
  fannedOut: true,
  unhandled: true,
  claimed: true,
  started: true,
  completed: true,
  skipped: true,
  retried: true,
  snoozed: true,
  dead: true,
  released: true,
  cancelled: true,
  lost: true,
  leaked: true,
  redriven: true,
  discarded: true,
  rescued: true,
  circuit: true,
  handlerPaused: true,
  handlerResumed: true,
  scheduler: true,
  pruned: true,
  storeCall: true,
} satisfies Record<FactName, true>) as FactName[];
