import type { ClaimRequest } from '../../store/delivery.store.js';
import type { ClaimedDelivery } from '../../store/records.js';
import type { Tables } from '../tables.js';
import { BEGIN, execute, query, type Verb } from '../verb.js';
import { type BestCandidate, bestOf } from './best-of.js';
import { claimLanesSqlite } from './claim-lanes.sqlite.js';
import { NO_LANES, type SpecialHandler, splitWants } from './claim-wants.js';
import { type ClaimRow, EVENT_COLUMNS, inRuns, LARGE_PAYLOAD_BYTES, toClaimed } from './rows.js';

export function claimSqlite(t: Tables) {
  const lease = leaseSqlite(t);

  return function* (request: ClaimRequest): Verb<ClaimedDelivery[] | null> {
    yield BEGIN;
    return yield* lease(request);
  };
}

/**
 * The claim as part of a transaction. Nobody else writes meanwhile, so candidates need no locks: each handler's best are
 * read, and the best of all taken.
 */
export function leaseSqlite(t: Tables) {
  const plan = claimLanesSqlite(t);
  const isRegistered = `select id from ${t.node} where id = ?`;
  const special = `select name, paused = 1 or retired_at is not null as resting, circuit_state <> 'closed' as open, ordered
    from ${t.handler} where paused = 1 or retired_at is not null or circuit_state <> 'closed' or ordered = 1`;
  const claimable = 'available_at is null and lease_node is null and lane_wait = 0';
  const best = `select id, priority, handler from ${t.delivery}
    where handler = ? and ${claimable} and crashes = 0 order by priority, id limit ?`;
  const suspects = `select id, priority, handler from ${t.delivery}
    where ${claimable} and crashes > 0 and handler in (select value from json_each(?)) order by priority, id limit 1`;
  const lease = `update ${t.delivery} set claims = claims + 1, lease_node = ?, lane_wait = 0 where id in (select value from json_each(?))`;
  const leased = `select d.id, d.handler, d.priority, d.attempts, d.crashes, d.claims, d.rate_slot, d.due_at,
      d.ordering_key as lane, ${EVENT_COLUMNS},
      case when coalesce(i.bytes, length(cast(i.payload as blob))) <= ${LARGE_PAYLOAD_BYTES} then i.payload end as payload
    from json_each(?) taken
    cross join ${t.delivery} d on d.id = taken.value
    cross join ${t.inbox} i on i.seq = d.event_seq`;

  return function* ({ node, wants, limit, suspect }: ClaimRequest): Verb<ClaimedDelivery[] | null> {
    if ((yield* query(isRegistered, [node])).length === 0) return null;
    const { plain, ordered } = splitWants(wants, yield* query<SpecialHandler>(special));
    const limits = new Map(ordered.map((want) => [want.handler, Math.min(want.limit, limit)]));
    const lanes = ordered.length > 0 ? yield* plan(limits, suspect) : NO_LANES;
    const candidates: BestCandidate[] = [];
    if (suspect && !lanes.suspect)
      candidates.push(...(yield* query<BestCandidate>(suspects, [JSON.stringify(plain.map((want) => want.handler))])));
    for (const want of plain)
      candidates.push(...(yield* query<BestCandidate>(best, [want.handler, Math.min(want.limit, limit)])));
    const taken = JSON.stringify(bestOf(candidates, plain, limit, lanes.picks));
    if (taken === '[]') return [];
    yield* execute(lease, [node, taken]);
    const rows = (yield* query<ClaimRow>(leased, [taken])).map(toClaimed);
    return lanes.picks.length > 0 ? inRuns(rows, lanes.picks) : rows;
  };
}
