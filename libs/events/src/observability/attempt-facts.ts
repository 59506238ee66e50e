import type { Outcome } from '../dispatch/outcome.js';
import type { RefusedError } from '../errors/refused.error.js';
import type { Attempt } from '../invoke/attempt.js';
import type { DeliveryLabels, FactName, LifecycleFact, SnoozeReason } from './lifecycle-fact.js';

/** By the code of the error that put it off. */
const SNOOZE_REASONS: Readonly<Record<string, SnoozeReason>> = {
  EVENTS_RATE_LIMITED: 'rate-limited',
  EVENTS_CIRCUIT_OPEN: 'circuit-open',
  EVENTS_KEY_BUSY: 'key-busy',
  EVENTS_NEWER_VERSION: 'newer-version',
  EVENTS_CHAIN_UNAVAILABLE: 'database-unavailable',
};

const ENDINGS = {
  completed: 'completed',
  written: 'completed',
  duplicate: 'skipped',
  retry: 'retried',
  snoozed: 'snoozed',
  dead: 'dead',
  released: 'released',
  gone: 'cancelled',
  cancelled: 'cancelled',
} as const satisfies Record<Exclude<Outcome['outcome'], 'lost'>, FactName>;

/** How an attempt ends. */
export type Ending = (typeof ENDINGS)[keyof typeof ENDINGS];

export function labelsOf({ handler, event, delivery, attempt }: Attempt): DeliveryLabels {
  return { handler: handler.name, type: event.type, eventId: event.id, deliveryId: String(delivery.id), attempt };
}

/** Which fact an outcome is. That one is lost is known only once it was refused. */
export function endingOf(outcome: Outcome): Ending | undefined {
  return outcome.outcome === 'lost' ? undefined : ENDINGS[outcome.outcome];
}

/** What an attempt came to, as a fact. (Made for every delivery: spreads would cost ten times as much.) */
export function factOf(
  attempt: Attempt,
  outcome: Outcome,
  { fact, durationMs, now }: { readonly fact: Ending; readonly durationMs: number; readonly now: number },
): LifecycleFact {
  const labels = Object.assign(labelsOf(attempt), { durationMs });
  if (outcome.outcome === 'retry')
    return Object.assign(labels, {
      fact: 'retried' as const,
      delayMs: outcome.availableAt - now,
      error: outcome.failure.name,
    });
  if (outcome.outcome === 'snoozed')
    return Object.assign(labels, {
      fact: 'snoozed' as const,
      delayMs: outcome.availableAt - now,
      reason: reasonOf(attempt.refusal),
    });
  if (outcome.outcome === 'dead')
    return Object.assign(labels, {
      fact: 'dead' as const,
      reason: outcome.reason,
      error: outcome.failure?.name ?? '',
    });
  return Object.assign(labels, { fact: fact as 'completed' | 'skipped' | 'released' | 'cancelled' });
}

/** Why a delivery waits; without a refusal its handler has asked for it. */
export function reasonOf(refusal: RefusedError | undefined): SnoozeReason {
  return SNOOZE_REASONS[refusal?.code ?? ''] ?? 'asked';
}
