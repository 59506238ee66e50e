import type { ClaimWant } from '../../store/delivery.store.js';
import type { LanePlan } from './lane-plan.js';

/** A handler that is not to be claimed as any other: by nobody, not by wants that ask for a closed circuit, or by lanes. */
export interface SpecialHandler {
  readonly name: string;
  readonly resting: number;
  readonly open: number;
  readonly ordered: number;
}

export const NO_LANES: LanePlan = { picks: [], parks: [], suspect: false };

/** The wants that can be served now: those of handlers without order, and those of ordered ones that know it. */
export function splitWants(wants: readonly ClaimWant[], special: readonly SpecialHandler[]) {
  const handlers = new Map(special.map((row) => [row.name, row]));
  const served = wants.filter(({ handler, circuit }) => {
    const row = handlers.get(handler);
    return !row || (row.resting === 0 && !(circuit && row.open === 1));
  });
  const isOrdered = ({ handler }: ClaimWant) => handlers.get(handler)?.ordered === 1;
  return {
    plain: served.filter((want) => !isOrdered(want)),
    ordered: served.filter((want) => want.ordered && isOrdered(want)),
  };
}
