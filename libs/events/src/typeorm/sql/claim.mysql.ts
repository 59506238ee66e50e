import type { ClaimRequest } from '../../store/delivery.store.js';
import type { ClaimedDelivery } from '../../store/records.js';
import type { Tables } from '../tables.js';
import { BEGIN, execute, query, type SqlValue, type Verb } from '../verb.js';
import { type BestCandidate, bestOf } from './best-of.js';
import { claimLanesMysql } from './claim-lanes.mysql.js';
import { NO_LANES, type SpecialHandler, splitWants } from './claim-wants.js';
import { byUrgency, type ClaimRow, EVENT_COLUMNS, inRuns, LARGE_PAYLOAD_BYTES, toClaimed } from './rows.js';

/** How many of those that others may be taking are tried. */
const MOST_SUSPECTS = 5;

export function claimMysql(t: Tables) {
  const lease = leaseMysql(t);

  return function* (request: ClaimRequest): Verb<ClaimedDelivery[] | null> {
    yield BEGIN;
    return yield* lease(request);
  };
}

/**
 * The claim as part of a transaction. Candidates are locked handler by handler, in the order of the claim index: with a
 * sort every candidate would be locked. What is locked beyond the limit is let go with the transaction. The node's own
 * row is locked, so that a node cannot be declared dead in the middle.
 */
export function leaseMysql(t: Tables) {
  const isRegistered = `select id from ${t.node} where id = ? lock in share mode`;
  const plan = claimLanesMysql(t);
  const special = `select name, paused or retired_at is not null as resting, circuit_state <> 'closed' as open, ordered
    from ${t.handler} where paused or retired_at is not null or circuit_state <> 'closed' or ordered`;
  const claimable = 'available_at is null and lease_node is null and lane_wait = 0';
  const best = `(select id, priority, handler from ${t.delivery} force index (claim)
    where handler = ? and ${claimable} and crashes = 0 order by priority, id limit ? for update skip locked)`;
  // Their order needs a sort, so they are looked at first and locked one by one.
  const suspects = `(select id, priority, handler from ${t.delivery} force index (claim)
    where handler = ? and ${claimable} and crashes > 0 order by priority, id limit ${MOST_SUSPECTS})`;
  const lock = `select id from ${t.delivery} where id = ? and ${claimable} for update skip locked`;
  const take = `update ${t.delivery} set claims = claims + 1, lease_node = ?, lane_wait = 0
    where id in (?) and lease_node is null`;
  const taken = `select d.id, d.handler, d.priority, d.attempts, d.crashes, d.claims, d.rate_slot, d.due_at,
      d.ordering_key as lane, ${EVENT_COLUMNS},
      case when coalesce(i.bytes, length(i.payload)) <= ${LARGE_PAYLOAD_BYTES} then i.payload end as payload
    from ${t.delivery} d straight_join ${t.inbox} i on i.seq = d.event_seq where d.id in (?) and d.lease_node = ?`;

  function* oneSuspect(handlers: readonly string[]): Verb<BestCandidate[]> {
    const found = yield* query<BestCandidate>(handlers.map(() => suspects).join(' union all '), handlers);
    for (const candidate of found.toSorted(byUrgency).slice(0, MOST_SUSPECTS)) {
      if ((yield* query(lock, [candidate.id])).length > 0) return [candidate];
    }
    return [];
  }

  return function* ({ node, wants, limit, suspect }: ClaimRequest): Verb<ClaimedDelivery[] | null> {
    if ((yield* query(isRegistered, [node])).length === 0) return null;
    if (limit === 0) return [];
    const { plain, ordered } = splitWants(wants, yield* query<SpecialHandler>(special));
    const lanes = ordered.length > 0 ? yield* plan(ordered, limit, suspect) : NO_LANES;
    const found: BestCandidate[] = [];
    if (plain.length > 0) {
      const params = plain.flatMap((want): SqlValue[] => [want.handler, Math.min(want.limit, limit)]);
      found.push(...(yield* query<BestCandidate>(plain.map(() => best).join(' union all '), params)));
      if (suspect && !lanes.suspect) found.push(...(yield* oneSuspect(plain.map(({ handler }) => handler))));
    }
    const ids = bestOf(found, plain, limit, lanes.picks);
    if (ids.length === 0) return [];
    yield* execute(take, [node, ids]);
    const claimed = (yield* query<ClaimRow>(taken, [ids, node])).map(toClaimed);
    return lanes.picks.length > 0 ? inRuns(claimed, lanes.picks) : claimed.toSorted(byUrgency);
  };
}
