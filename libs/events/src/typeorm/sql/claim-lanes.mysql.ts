import type { ClaimWant } from '../../store/delivery.store.js';
import type { Tables } from '../tables.js';
import { execute, query, type SqlValue, type Verb } from '../verb.js';
import { claimLanes, type LaneStatements } from './claim-lanes.js';
import { NO_LANES } from './claim-wants.js';
import type { Candidate, LanePlan, LaneState, Park } from './lane-plan.js';
import { byUrgency } from './rows.js';

/** How often a claim looks again for handlers whose rows somebody holds, and how long it waits before, in seconds. */
const MOST_LOOKS = 5;
const WAIT_S = 0.003;

/** A row of one of two kinds: what is ahead of a lane's deliveries (`id` is null), or one of them. */
interface SurveyRow {
  lane: number;
  leased: number | null;
  letter_id: number | null;
  letter_seq: number | null;
  raw_seq: number | null;
  id: number | null;
  seq: number;
  crashes: number;
  due: number;
}

/**
 * Part of a claim: locks the handlers' rows, then plans; see `claimLanesPostgres`. Here the row of a handler is locked
 * altogether, so its claims wait for whoever changes its circuit, but not for long.
 */
export function claimLanesMysql(t: Tables) {
  const lock = `select name from ${t.handler} where name in (?) and ordered and not paused and retired_at is null
    order by name for update skip locked`;
  const pause = 'do sleep(?)';
  const plan = claimLanes(statements(t));

  return function* (wants: readonly ClaimWant[], limit: number, suspect: boolean): Verb<LanePlan> {
    const limits = new Map(wants.map((want) => [want.handler, Math.min(want.limit, limit)]));
    const names = [...limits.keys()];
    let locked = yield* query<{ name: string }>(lock, [names]);
    for (let looks = 1; locked.length < names.length && looks < MOST_LOOKS; looks++) {
      yield* execute(pause, [WAIT_S]);
      locked = yield* query<{ name: string }>(lock, [names]);
    }
    if (locked.length === 0) return NO_LANES;
    return yield* plan(new Map(locked.map(({ name }) => [name, limits.get(name) ?? 0])), suspect);
  };
}

function statements(t: Tables): LaneStatements {
  const claimable = 'available_at is null and lease_node is null and lane_wait = 0';
  const best = (
    crashes: string,
  ) => `(select id, handler, priority, crashes, ordering_key from ${t.delivery} force index (claim)
    where handler = ? and ${claimable} and crashes ${crashes} order by priority, id limit ?)`;
  const [innocents, suspects] = [best('= 0'), best('> 0')];
  const given = `json_table(convert(? using utf8mb4), '$[*]' columns (
    lane int path '$[0]', handler varchar(255) path '$[1]', ordering_key varchar(255) path '$[2]')) g`;
  const inLane = 'd.handler = g.handler and d.ordering_key = g.ordering_key';
  const letter = (column: string) => `(select l.${column} from ${t.dead_letter} l
      where l.blocking = 1 and l.handler = g.handler and l.ordering_key = g.ordering_key order by l.event_seq limit 1)`;
  // By the claim index: all that these handlers have in flight. Behind its lane's first row a lease is rare, but not impossible.
  const leased = `select handler, ordering_key, min(id) as id from ${t.delivery} force index (claim)
    where handler in (?) and available_at is null and lease_node > 0 and ordering_key is not null
    group by handler, ordering_key`;
  const ahead = `select g.lane, d.id as leased, ${letter('id')} as letter_id, ${letter('event_seq')} as letter_seq,
      (select i.seq from ${t.inbox} i where i.fanned_out_at is null and i.ordering_key = g.ordering_key
        order by i.seq limit 1) as raw_seq,
      null as id, null as seq, null as crashes, null as due
    from ${given} left join (${leased}) d on ${inLane}`;
  const members = `(select ? as lane, null, null, null, null, id, event_seq, crashes, available_at is null
    from ${t.delivery} force index (lane) where handler = ? and ordering_key = ? order by event_seq limit ?)`;
  // Whoever changes a blocker at this moment is not waited for: he will not see what would be parked behind it.
  const held: Readonly<Record<Park['kind'], string>> = {
    ahead: `select id from ${t.delivery} where id in (?) for update skip locked`,
    leased: `select id from ${t.delivery} where id in (?) and lease_node is not null for update skip locked`,
    letter: `select id from ${t.dead_letter} where id in (?) and blocking = 1 for update skip locked`,
  };
  const park = `update ${t.delivery} set lane_wait = 1 where id in (?) and ${claimable}`;

  return {
    *candidates(handlers, limit, withSuspects): Verb<Candidate[]> {
      const one = withSuspects ? [innocents, suspects] : [innocents];
      const params = handlers.flatMap((handler) => one.flatMap((): SqlValue[] => [handler, limit]));
      const found = yield* query<Candidate>(handlers.flatMap(() => one).join(' union all '), params);
      return found.toSorted(byUrgency);
    },
    /** One statement, so one snapshot. */
    *survey(lanes, most): Verb<LaneState[]> {
      const names = lanes.map(({ handler, ordering_key: key }, lane) => [lane, handler, key] as const);
      const rows = yield* query<SurveyRow>([ahead, ...lanes.map(() => members)].join(' union all '), [
        JSON.stringify(names),
        [...new Set(lanes.map(({ handler }) => handler))],
        ...names.flatMap((name): SqlValue[] => [...name, most]),
      ]);
      const byLane = lanes.map((): SurveyRow[] => []);
      for (const row of rows) byLane[row.lane].push(row);
      return byLane.map(toState);
    },
    *park(parks): Verb<void> {
      const ids: number[] = [];
      for (const kind of ['ahead', 'leased', 'letter'] as const) {
        const behind = parks.filter((one) => one.kind === kind);
        if (behind.length === 0) continue;
        const blockers = [...new Set(behind.map(({ blocker }) => blocker))].toSorted((a, b) => a - b);
        const stays = new Set((yield* query<{ id: number }>(held[kind], [blockers])).map(({ id }) => id));
        ids.push(...behind.filter(({ blocker }) => stays.has(blocker)).map(({ id }) => id));
      }
      if (ids.length > 0) yield* execute(park, [ids]);
    },
  };
}

function toState(rows: readonly SurveyRow[]): LaneState {
  const ahead = rows.find(({ id }) => id === null) as SurveyRow;
  const live = rows.filter(({ id }) => id !== null).toSorted((a, b) => a.seq - b.seq);
  return {
    leased: ahead.leased,
    letter: ahead.letter_id === null ? null : { id: ahead.letter_id, seq: ahead.letter_seq as number },
    rawSeq: ahead.raw_seq,
    members: live.map(({ id, seq, crashes, due }) => ({ id: id as number, seq, crashes, due: due === 1 })),
  };
}
