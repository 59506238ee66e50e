import type { ClaimRequest } from '../../store/delivery.store.js';
import type { ClaimedDelivery } from '../../store/records.js';
import type { Tables } from '../tables.js';
import { BEGIN, execute, query, type Verb } from '../verb.js';
import { byUrgency, type ClaimRow, EVENT_COLUMNS, LARGE_PAYLOAD_BYTES, toClaimed } from './rows.js';

interface Candidate {
  id: number;
  priority: number;
  handler: string;
}

/** Nobody else writes meanwhile, so candidates need no locks: each handler's best are read, and the best of all taken. */
export function claimSqlite(t: Tables) {
  const isRegistered = `select id from ${t.node} where id = ?`;
  const paused = `select name from ${t.handler} where paused = 1`;
  const claimable = 'available_at is null and lease_node is null and lane_wait = 0';
  const best = `select id, priority, handler from ${t.delivery}
    where handler = ? and ${claimable} and crashes = 0 order by priority, id limit ?`;
  const suspects = `select id, priority, handler from ${t.delivery}
    where ${claimable} and crashes > 0 and handler in (select value from json_each(?)) order by priority, id limit 1`;
  const lease = `update ${t.delivery} set claims = claims + 1, lease_node = ? where id in (select value from json_each(?))`;
  const leased = `select d.id, d.handler, d.priority, d.attempts, d.crashes, d.claims, ${EVENT_COLUMNS},
      case when coalesce(i.bytes, length(cast(i.payload as blob))) <= ${LARGE_PAYLOAD_BYTES} then i.payload end as payload
    from json_each(?) taken
    cross join ${t.delivery} d on d.id = taken.value
    cross join ${t.inbox} i on i.seq = d.event_seq`;

  return function* ({ node, wants, limit, suspect }: ClaimRequest): Verb<ClaimedDelivery[] | null> {
    yield BEGIN;
    if ((yield* query(isRegistered, [node])).length === 0) return null;
    const resting = new Set((yield* query<{ name: string }>(paused)).map((row) => row.name));
    const open = wants.filter((want) => !resting.has(want.handler));
    const candidates: Candidate[] = [];
    if (suspect)
      candidates.push(...(yield* query<Candidate>(suspects, [JSON.stringify(open.map((want) => want.handler))])));
    for (const want of open)
      candidates.push(...(yield* query<Candidate>(best, [want.handler, Math.min(want.limit, limit)])));
    const taken = JSON.stringify(bestOf(candidates, open, limit));
    if (taken === '[]') return [];
    yield* execute(lease, [node, taken]);
    return (yield* query<ClaimRow>(leased, [taken])).map(toClaimed);
  };
}

function bestOf(candidates: Candidate[], wants: ClaimRequest['wants'], limit: number): number[] {
  const free = new Map(wants.map((want) => [want.handler, want.limit]));
  const taken: number[] = [];
  for (const { id, handler } of candidates.toSorted(byUrgency)) {
    if (taken.length === limit) break;
    const left = free.get(handler) ?? 0;
    if (left === 0) continue;
    free.set(handler, left - 1);
    taken.push(id);
  }
  return taken;
}
