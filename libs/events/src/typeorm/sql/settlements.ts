import type { DeadReason, Settlement } from '../../store/records.js';

/** One settlement as parameters: what its outcome has no use for is null. */
export interface SettlementRow {
  readonly id: number;
  readonly claims: number;
  readonly handler: string;
  readonly lane: string | null;
  readonly outcome: Settlement['outcome'];
  /** Final count of a finished one; how many more of the others. */
  readonly attempts: number;
  readonly durationMs: number | null;
  readonly availableAt: number | null;
  readonly rateSlot: number | null;
  readonly reason: DeadReason | null;
  /** A line of `errors`. */
  readonly failure: string | null;
  readonly key: Settlement['key'];
}

export type Fate = 'finished' | 'dead' | 'back';

export function toRow(settlement: Settlement): SettlementRow {
  const { id, claims, handler, lane = null, outcome, key } = settlement;
  const nothing = { durationMs: null, availableAt: null, rateSlot: null, reason: null, failure: null };
  const row = { id, claims, handler, lane, outcome, key, attempts: 0, ...nothing };
  switch (settlement.outcome) {
    case 'completed':
    case 'duplicate':
    case 'cancelled':
      return { ...row, attempts: settlement.attempts, durationMs: Math.round(settlement.durationMs) };
    case 'retry':
      return { ...row, attempts: 1, availableAt: settlement.availableAt, failure: JSON.stringify(settlement.failure) };
    case 'snoozed':
      return { ...row, availableAt: settlement.availableAt, rateSlot: settlement.rateSlot ?? null };
    case 'released':
      return { ...row, rateSlot: settlement.rateSlot ?? null };
    case 'dead':
      break;
  }
  const { reason, failure } = settlement;
  return failure ? { ...row, attempts: 1, reason, failure: JSON.stringify(failure) } : { ...row, reason };
}

const FATES: Readonly<Record<Settlement['outcome'], Fate>> = {
  completed: 'finished',
  duplicate: 'finished',
  cancelled: 'finished',
  dead: 'dead',
  retry: 'back',
  snoozed: 'back',
  released: 'back',
};

export function fateOf(outcome: Settlement['outcome']): Fate {
  return FATES[outcome];
}

/** Outcomes of one fate, for an SQL list. */
export function outcomesOf(fate: Fate): string {
  const outcomes = Object.entries(FATES).filter(([, of]) => of === fate);
  return outcomes.map(([outcome]) => `'${outcome}'`).join(', ');
}

/** What the key of a settled delivery becomes. */
export function keyStateOf(outcome: Settlement['outcome']): 'completed' | 'failed' {
  return outcome === 'completed' ? 'completed' : 'failed';
}

/** A lease as a key: of settlements with the same lease only the first can be written. */
export function leaseKey({ id, claims }: { id: number; claims: number }): string {
  return `${id}:${claims}`;
}
