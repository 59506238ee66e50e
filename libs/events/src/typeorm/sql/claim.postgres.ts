import type { ClaimRequest } from '../../store/delivery.store.js';
import type { ClaimedDelivery } from '../../store/records.js';
import type { Tables } from '../tables.js';
import { query, type Verb } from '../verb.js';
import { byUrgency, type ClaimRow, EVENT_COLUMNS, LARGE_PAYLOAD_BYTES, toClaimed } from './rows.js';

/**
 * One statement. Candidates are locked handler by handler, in the order of the claim index; what is locked beyond the
 * limit is let go with the statement. The array keeps the planner from joining the tables by a full scan (at 1,000,000
 * rows 13 ms instead of 249). The node's own row is locked, so that a node cannot be declared dead in the middle.
 */
export function claimPostgres(t: Tables) {
  const candidates = (suspect: '= 0' | '> 0', limit: string) => `
    select w.handler, w.n, c.id, c.priority
    from wants w cross join lateral (
      select id, priority from ${t.delivery} d
      where d.handler = w.handler and available_at is null and lease_node is null and not lane_wait and crashes ${suspect}
      order by priority, id limit ${limit} for update skip locked
    ) c`;
  const claim = `
    with node as materialized (select id from ${t.node} where id = $3 for key share),
    wants as materialized (
      select w.handler, w.n from unnest($1::text[], $2::int[]) w (handler, n)
      where exists (select from node) and not exists (select from ${t.handler} h where h.name = w.handler and h.paused)
    ),
    suspect as materialized (select * from (${candidates('> 0', '1')}) s where $5 order by priority, id limit 1),
    claimed as (
      update ${t.delivery} set claims = claims + 1, lease_node = $3
      where id = any(array(
        select id from (
          select id, priority, n, row_number() over (partition by handler order by priority, id) as place
          from (${candidates('= 0', 'w.n')} union all select * from suspect) c
        ) c where place <= n order by priority, id limit $4
      ))
      returning id, event_seq, handler, priority, attempts, crashes, claims
    )
    select c.* from node left join (
      select claimed.*, ${EVENT_COLUMNS},
        case when coalesce(i.bytes, octet_length(i.payload::text)) <= ${LARGE_PAYLOAD_BYTES} then i.payload end as payload
      from claimed join ${t.inbox} i on i.seq = claimed.event_seq
    ) c on true`;

  return function* ({ node, wants, limit, suspect }: ClaimRequest): Verb<ClaimedDelivery[] | null> {
    const rows = yield* query<ClaimRow | { id: null }>(
      claim,
      [wants.map((want) => want.handler), wants.map((want) => Math.min(want.limit, limit)), node, limit, suspect],
      'events:claim',
    );
    if (rows.length === 0) return null;
    return rows
      .filter((row) => row.id !== null)
      .map(toClaimed)
      .toSorted(byUrgency);
  };
}
