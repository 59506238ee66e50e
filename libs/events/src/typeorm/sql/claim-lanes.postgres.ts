import type { Tables } from '../tables.js';
import { execute, query, type Verb } from '../verb.js';
import { claimLanes, type LaneStatements } from './claim-lanes.js';
import type { Candidate, LaneState, Park } from './lane-plan.js';

/** How often a claim looks again for handlers whose rows somebody holds, and how long it waits before, in seconds. */
const MOST_LOOKS = 5;
const WAIT_S = 0.003;

interface OrderedWant {
  readonly handler: string;
  readonly limit: number;
  readonly circuit?: boolean;
}

interface SurveyRow {
  lane: number;
  leased: number | null;
  letter_id: number | null;
  letter_seq: number | null;
  raw_seq: number | null;
  id: number | null;
  event_seq: number;
  crashes: number;
  due: boolean;
}

/**
 * Part of a claim: locks the handlers' rows, then plans. The locks are a statement of their own, so that what is read
 * after it has all that the claim before did. A row that somebody holds is not waited for without end: whoever hangs while
 * he holds it, keeps no other handler waiting.
 */
export function claimLanesPostgres(t: Tables) {
  const eligible = `from unnest($1::text[], $2::boolean[]) w (name, circuit) join ${t.handler} h on h.name = w.name
    where h.ordered and not h.paused and h.retired_at is null and not (w.circuit and h.circuit_state <> 'closed')`;
  const lock = `select h.name ${eligible} order by h.name for no key update of h skip locked`;
  const count = `select count(*)::int as n, pg_sleep($3) ${eligible}`;
  const plan = claimLanes(statements(t));

  return function* (wants: readonly OrderedWant[], suspect: boolean) {
    const limits = new Map(wants.map(({ handler, limit }) => [handler, limit]));
    const params = [wants.map(({ handler }) => handler), wants.map(({ circuit }) => circuit === true)];
    let locked = yield* query<{ name: string }>(lock, params, 'events:lock-handlers');
    for (let looks = 1; locked.length < wants.length && looks < MOST_LOOKS; looks++) {
      const [{ n }] = yield* query<{ n: number }>(count, [...params, WAIT_S], 'events:await-handlers');
      if (n <= locked.length) break;
      locked = yield* query<{ name: string }>(lock, params, 'events:lock-handlers');
    }
    if (locked.length === 0) return { picks: [], parks: [], suspect: false };
    return yield* plan(new Map(locked.map(({ name }) => [name, limits.get(name) ?? 0])), suspect);
  };
}

function statements(t: Tables): LaneStatements {
  const claimable = 'available_at is null and lease_node is null and not lane_wait';
  const columns = 'id, handler, priority, crashes, ordering_key';
  const best = (crashes: string, from: string) => `select c.* from unnest($1::text[]) w (handler) cross join lateral (
      select ${columns} from ${t.delivery} d where d.handler = w.handler and ${claimable} and crashes ${crashes}
      order by priority, id limit $2
    ) c ${from}`;
  const innocents = `${best('= 0', '')} order by priority, id`;
  const all = `select * from (${best('= 0', '')} union all ${best('> 0', '')}) c order by priority, id`;
  const inLane = 'd.handler = l.handler and d.ordering_key = l.ordering_key';
  // All columns of the index in every order, or the planner may walk the whole table by another index that has the last one:
  // it believes that something must turn up soon.
  // Materialized, or what is asked once of a lane is asked again for each of its members.
  const survey = `
    with lanes as materialized (
      select l.ord, l.handler, l.ordering_key,
        (select d.id from ${t.delivery} d where ${inLane} and d.lease_node is not null limit 1) as leased,
        (select i.seq from ${t.inbox} i where i.ordering_key = l.ordering_key and i.fanned_out_at is null
          order by i.ordering_key, i.seq limit 1) as raw_seq
      from unnest($1::text[], $2::text[]) with ordinality l (handler, ordering_key, ord)
    )
    select l.ord::int - 1 as lane, l.leased, letter.id as letter_id, letter.event_seq as letter_seq, l.raw_seq,
      m.id, m.event_seq, m.crashes, m.due
    from lanes l
    left join lateral (
      select d.id, d.event_seq from ${t.dead_letter} d where ${inLane} and d.blocking
      order by d.handler, d.ordering_key, d.event_seq limit 1
    ) letter on true
    left join lateral (
      select d.id, d.event_seq, d.crashes, d.available_at is null as due from ${t.delivery} d
      where l.leased is null and ${inLane} order by d.handler, d.ordering_key, d.event_seq limit $3
    ) m on true
    order by l.ord, m.event_seq`;
  // A statement waits for nobody here: the share locks keep a blocker as it is until the claim has committed, and who is
  // changing one at this moment will not see what would be parked behind it.
  const park = `
    with ahead as materialized (select id from ${t.delivery} where id = any($4::bigint[]) for key share skip locked),
    leased as materialized (
      select id from ${t.delivery} where id = any($5::bigint[]) and lease_node is not null for share skip locked
    ),
    letter as materialized (
      select id from ${t.dead_letter} where id = any($6::bigint[]) and blocking for share skip locked
    ),
    held as materialized (
      select 'ahead' as kind, id from ahead union all select 'leased', id from leased union all select 'letter', id from letter
    )
    update ${t.delivery} set lane_wait = true
    where ${claimable} and id = any(array(
      select p.id from unnest($1::bigint[], $2::bigint[], $3::text[]) p (id, blocker, kind)
      join held on held.id = p.blocker and held.kind = p.kind))`;

  return {
    *candidates(handlers, limit, suspects): Verb<Candidate[]> {
      return yield* query<Candidate>(suspects ? all : innocents, [handlers, limit]);
    },
    *survey(lanes, members): Verb<LaneState[]> {
      const rows = yield* query<SurveyRow>(
        survey,
        [lanes.map((lane) => lane.handler), lanes.map((lane) => lane.ordering_key), members],
        'events:survey-lanes',
      );
      const byLane = lanes.map((): SurveyRow[] => []);
      for (const row of rows) byLane[row.lane].push(row);
      return byLane.map(toState);
    },
    *park(parks): Verb<void> {
      const blockers = (kind: Park['kind']) => [
        ...new Set(parks.filter((one) => one.kind === kind).map((one) => one.blocker)),
      ];
      yield* execute(park, [
        parks.map(({ id }) => id),
        parks.map(({ blocker }) => blocker),
        parks.map(({ kind }) => kind),
        blockers('ahead'),
        blockers('leased'),
        blockers('letter'),
      ]);
    },
  };
}

function toState(rows: readonly SurveyRow[]): LaneState {
  const [{ leased, letter_id: letter, letter_seq: letterSeq, raw_seq: rawSeq }] = rows;
  return {
    leased,
    letter: letter === null ? null : { id: letter, seq: letterSeq as number },
    rawSeq,
    members: rows.flatMap(({ id, event_seq: seq, crashes, due }) => (id === null ? [] : [{ id, seq, crashes, due }])),
  };
}
