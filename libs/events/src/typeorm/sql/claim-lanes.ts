import type { Verb } from '../verb.js';
import { type Candidate, type LanePlan, type LaneState, type Park, planLanes } from './lane-plan.js';
import { type Lane, lanesOf } from './lanes.js';

/** So many candidates are looked at first, for so many lanes at most; four times as many when those do not fill the claim. */
const FIRST_LOOK = 64;
const LONGEST_LOOK = 1_000;
/** One claim parks no more than about this many: the rest is left to the next. */
const MOST_PARKED = 5_000;

/** What a database does for a claim of lanes, all under the lock of the handlers' rows. */
export interface LaneStatements {
  /** Best first: each handler's first `limit` innocents, and suspects if they may come. */
  candidates(handlers: readonly string[], limit: number, suspects: boolean): Verb<Candidate[]>;
  /** In the order of `lanes`, each of one snapshot: what is read of events and of deliveries belongs together. */
  survey(lanes: readonly Lane[], members: number): Verb<LaneState[]>;
  /** Parks those whose blocker can be locked at once, and is still what it was. */
  park(parks: readonly Park[]): Verb<void>;
}

/**
 * Part of a claim: which deliveries of these ordered handlers to lease. The caller holds the handlers' rows, so nobody
 * else claims from their lanes; settles, cancels and redrives go on meanwhile. Candidates that wait for their lane are
 * parked, out of the claim index, so that each costs one claim a look and not every claim.
 */
export function claimLanes(statements: LaneStatements) {
  return function* (limits: ReadonlyMap<string, number>, suspect: boolean): Verb<LanePlan> {
    const handlers = [...limits.keys()];
    const most = Math.max(...limits.values());
    let parked = 0;
    for (let look = FIRST_LOOK; ; look = Math.min(4 * look, Math.max(most, LONGEST_LOOK))) {
      const found = yield* statements.candidates(handlers, look, suspect);
      const lanes = lanesOf(found);
      const members = Math.min(most, 1 + Math.ceil((2 * most) / Math.max(1, lanes.length)));
      const states = lanes.length > 0 ? yield* statements.survey(lanes, members) : [];
      const byName = new Map(lanes.map((lane, index) => [nameOf(lane), states[index]]));
      const plan = planLanes(found, (candidate) => byName.get(nameOf(candidate)), limits, suspect);
      if (plan.parks.length > 0) yield* statements.park(plan.parks);
      parked += plan.parks.length;
      const seen = countBy(found);
      const isFull = handlers.some((handler) => (seen.get(handler) ?? 0) >= look);
      const enough = plan.picks.length >= most || parked >= MOST_PARKED;
      if (enough || !isFull || (look >= LONGEST_LOOK && plan.parks.length === 0)) return plan;
    }
  };
}

function nameOf({ handler, ordering_key: key }: { handler: string; ordering_key: string | null }): string {
  return JSON.stringify([handler, key]);
}

function countBy(candidates: readonly Candidate[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { handler } of candidates) counts.set(handler, (counts.get(handler) ?? 0) + 1);
  return counts;
}
