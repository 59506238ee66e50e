import type { ClaimRequest } from '../../store/delivery.store.js';
import type { ClaimedDelivery } from '../../store/records.js';
import type { Tables } from '../tables.js';
import { BEGIN, query, type Verb } from '../verb.js';
import { claimLanesPostgres } from './claim-lanes.postgres.js';
import type { LanePlan } from './lane-plan.js';
import { byUrgency, type ClaimRow, EVENT_COLUMNS, inRuns, LARGE_PAYLOAD_BYTES, toClaimed } from './rows.js';

/** One statement while no handler is ordered; else a transaction, in which the lanes are looked at first. */
export function claimPostgres(t: Tables) {
  const lease = leasePostgres(t);

  return function* (request: ClaimRequest): Verb<ClaimedDelivery[] | null> {
    if (request.wants.some(({ ordered }) => ordered)) yield BEGIN;
    return yield* lease(request);
  };
}

/** The claim as part of a transaction. The node's own row is locked, so that a node cannot be declared dead in the middle. */
export function leasePostgres(t: Tables) {
  const lockNode = `select id from ${t.node} where id = $1 for key share`;
  const plan = claimLanesPostgres(t);
  const [plain, withLanes] = [claimSql(t, false), claimSql(t, true)];

  return function* (request: ClaimRequest): Verb<ClaimedDelivery[] | null> {
    const { node, wants, limit, suspect } = request;
    const ordered = wants
      .filter((want) => want.ordered)
      .map((want) => ({ ...want, limit: Math.min(want.limit, limit) }));
    if (ordered.length === 0) return yield* lease(plain, request);
    if ((yield* query(lockNode, [node], 'events:lock-node')).length === 0) return null;
    const lanes = yield* plan(ordered, suspect);
    if (lanes.picks.length === 0) return yield* lease(plain, request);
    return yield* lease(withLanes, { ...request, suspect: suspect && !lanes.suspect }, lanes);
  };

  function* lease(sql: string, { node, wants, limit, suspect }: ClaimRequest, lanes?: LanePlan) {
    const params = [
      wants.map((want) => want.handler),
      wants.map((want) => Math.min(want.limit, limit)),
      node,
      limit,
      suspect,
      wants.map((want) => want.circuit === true),
      wants.map((want) => want.after?.priority ?? -1),
      wants.map((want) => want.after?.id ?? 0),
    ];
    const picks = lanes?.picks ?? [];
    const columns = [
      picks.map((one) => one.id),
      picks.map((one) => one.priority),
      picks.map((one) => one.rank),
      picks.map((one) => one.place),
    ];
    const rows = yield* query<ClaimRow | { id: null }>(
      sql,
      lanes ? [...params, ...columns] : params,
      lanes ? 'events:claim-lanes' : 'events:claim',
    );
    if (rows.length === 0) return null;
    const claimed = rows.filter((row) => row.id !== null).map(toClaimed);
    return lanes ? inRuns(claimed, picks) : claimed.toSorted(byUrgency);
  }
}

/**
 * Candidates are locked handler by handler, in the order of the claim index; what is locked beyond the limit is let go
 * with the statement. The array keeps the planner from joining the tables by a full scan (at 1,000,000 rows 13 ms instead
 * of 249). While some session is idle in a transaction, vacuum cannot remove what was claimed before: `after` starts
 * behind all that. Ordered handlers give nothing but what the lanes' plan has picked.
 */
function claimSql(t: Tables, withLanes: boolean): string {
  const candidates = (which: string, limit: string) => `
    select w.handler, w.n, c.id, c.priority
    from wants w cross join lateral (
      select id, priority from ${t.delivery} d
      where d.handler = w.handler and available_at is null and lease_node is null and not lane_wait and ${which}
      order by priority, id limit ${limit} for update skip locked
    ) c`;
  const innocent = 'crashes = 0 and (priority, id) > (w.after_priority, w.after_id)';
  const picked = `select id, priority, place, rank
    from unnest($9::bigint[], $10::smallint[], $11::bigint[], $12::int[]) p (id, priority, rank, place)`;
  return `
    with node as materialized (select id from ${t.node} where id = $3 for key share),
    wants as materialized (
      select w.* from unnest($1::text[], $2::int[], $6::boolean[], $7::smallint[], $8::bigint[])
        w (handler, n, circuit, after_priority, after_id)
      where exists (select from node) and not exists (select from ${t.handler} h where h.name = w.handler
        and (h.paused or h.retired_at is not null or h.ordered or (w.circuit and h.circuit_state <> 'closed')))
    ),
    suspect as materialized (select * from (${candidates('crashes > 0', '1')}) s where $5 order by priority, id limit 1),
    claimed as (
      update ${t.delivery} set claims = claims + 1, lease_node = $3, lane_wait = false
      where lease_node is null and id = any(array(
        select id from (
          select id, priority, 0 as place, id as rank from (
            select id, priority, n, row_number() over (partition by handler order by priority, id) as number
            from (${candidates(innocent, 'w.n')} union all select * from suspect) c
          ) c where number <= n${withLanes ? ` union all ${picked}` : ''}
        ) c order by priority, place, rank limit $4
      ))
      returning id, event_seq, handler, priority, attempts, crashes, claims, rate_slot, due_at, ordering_key as lane
    )
    select c.* from node left join (
      select claimed.*, ${EVENT_COLUMNS},
        case when coalesce(i.bytes, octet_length(i.payload::text)) <= ${LARGE_PAYLOAD_BYTES} then i.payload end as payload
      from claimed join ${t.inbox} i on i.seq = claimed.event_seq
    ) c on true`;
}
