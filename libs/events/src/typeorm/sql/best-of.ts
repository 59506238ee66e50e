import type { ClaimRequest } from '../../store/delivery.store.js';
import type { LanePlan } from './lane-plan.js';
import { byUrgency } from './rows.js';

/** A delivery that a claim may lease. */
export interface BestCandidate {
  readonly id: number;
  readonly priority: number;
  readonly handler: string;
}

/** As many as each handler wants and as the claim may take in all, with what was picked of lanes among them. */
export function bestOf(
  candidates: readonly BestCandidate[],
  wants: ClaimRequest['wants'],
  limit: number,
  picks: LanePlan['picks'],
): number[] {
  const free = new Map(wants.map((want) => [want.handler, want.limit]));
  const best = candidates.toSorted(byUrgency).filter(({ handler }) => {
    const left = free.get(handler) ?? 0;
    free.set(handler, left - 1);
    return left > 0;
  });
  if (picks.length === 0) return best.slice(0, limit).map(({ id }) => id);
  const all = [...best.map(({ id, priority }) => ({ id, priority, rank: id, place: 0 })), ...picks];
  all.sort((a, b) => a.priority - b.priority || a.place - b.place || a.rank - b.rank);
  return all.slice(0, limit).map(({ id }) => id);
}
