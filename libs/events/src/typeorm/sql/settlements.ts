import type { CompletionOutcome, DeadReason, Settlement } from '../../store/records.js';

/** One settlement as parameters: what its outcome has no use for is null. */
export interface SettlementRow {
  readonly id: number;
  readonly claims: number;
  readonly outcome: Settlement['outcome'];
  /** Final count of a finished one; how many more of the others. */
  readonly attempts: number;
  readonly durationMs: number | null;
  readonly availableAt: number | null;
  readonly reason: DeadReason | null;
  /** A line of `errors`. */
  readonly failure: string | null;
}

export type Fate = 'finished' | 'dead' | 'back';

export function toRow(settlement: Settlement): SettlementRow {
  const { id, claims, outcome } = settlement;
  const row = { id, claims, outcome, attempts: 0, durationMs: null, availableAt: null, reason: null, failure: null };
  switch (settlement.outcome) {
    case 'completed':
    case 'duplicate':
    case 'cancelled':
      return { ...row, attempts: settlement.attempts, durationMs: Math.round(settlement.durationMs) };
    case 'retry':
      return { ...row, attempts: 1, availableAt: settlement.availableAt, failure: JSON.stringify(settlement.failure) };
    case 'snoozed':
      return { ...row, availableAt: settlement.availableAt };
    case 'released':
      return row;
    case 'dead':
      break;
  }
  const { reason, failure } = settlement;
  return failure ? { ...row, attempts: 1, reason, failure: JSON.stringify(failure) } : { ...row, reason };
}

export function fateOf(outcome: Settlement['outcome']): Fate {
  if (outcome === 'dead') return 'dead';
  return isCompletion(outcome) ? 'finished' : 'back';
}

function isCompletion(outcome: Settlement['outcome']): outcome is CompletionOutcome {
  return outcome === 'completed' || outcome === 'duplicate' || outcome === 'cancelled';
}

/** A lease as a key: of settlements with the same lease only the first can be written. */
export function leaseKey({ id, claims }: { id: number; claims: number }): string {
  return `${id}:${claims}`;
}
