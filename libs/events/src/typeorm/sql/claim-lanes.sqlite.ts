import type { Tables } from '../tables.js';
import { execute, query, type Verb } from '../verb.js';
import { claimLanes, type LaneStatements } from './claim-lanes.js';
import type { Candidate, LaneMember, LaneState } from './lane-plan.js';
import { byUrgency } from './rows.js';

interface StateRow {
  leased: number | null;
  letter_id: number | null;
  letter_seq: number | null;
  raw_seq: number | null;
}

/** Part of a claim. Nobody else writes meanwhile, so nothing is locked; a statement costs no round trip, so each lane has its own. */
export function claimLanesSqlite(t: Tables) {
  return claimLanes(statements(t));
}

function statements(t: Tables): LaneStatements {
  const claimable = 'available_at is null and lease_node is null and lane_wait = 0';
  const columns = 'id, handler, priority, crashes, ordering_key';
  const innocents = `select ${columns} from ${t.delivery} where handler = ? and ${claimable} and crashes = 0
    order by priority, id limit ?`;
  const suspects = `select ${columns} from ${t.delivery}
    where ${claimable} and crashes > 0 and handler in (select value from json_each(?)) order by priority, id limit ?`;
  const inLane = 'handler = ? and ordering_key = ?';
  const leased = `select id as leased from ${t.delivery} where ${inLane} and lease_node is not null limit 1`;
  const letter = `select id as letter_id, event_seq as letter_seq from ${t.dead_letter} where ${inLane} and blocking = 1
    order by event_seq limit 1`;
  const raw = `select seq as raw_seq from ${t.inbox} where ordering_key = ? and fanned_out_at is null order by seq limit 1`;
  const members = `select id, event_seq as seq, crashes, available_at is null as due from ${t.delivery} where ${inLane}
    order by event_seq limit ?`;
  const park = `update ${t.delivery} set lane_wait = 1 where ${claimable} and id in (select value from json_each(?))`;

  return {
    *candidates(handlers, limit, withSuspects): Verb<Candidate[]> {
      const found: Candidate[] = [];
      for (const handler of handlers) found.push(...(yield* query<Candidate>(innocents, [handler, limit])));
      if (withSuspects) found.push(...(yield* query<Candidate>(suspects, [JSON.stringify(handlers), limit])));
      return found.toSorted(byUrgency);
    },
    *survey(lanes, most): Verb<LaneState[]> {
      const states: LaneState[] = [];
      for (const { handler, ordering_key: key } of lanes) {
        const [busy] = yield* query<StateRow>(leased, [handler, key]);
        if (busy) {
          states.push({ leased: busy.leased, letter: null, rawSeq: null, members: [] });
          continue;
        }
        const [blocking] = yield* query<StateRow>(letter, [handler, key]);
        const [before] = yield* query<StateRow>(raw, [key]);
        const rows = yield* query<Omit<LaneMember, 'due'> & { due: number }>(members, [handler, key, most]);
        states.push({
          leased: null,
          letter: blocking ? { id: blocking.letter_id as number, seq: blocking.letter_seq as number } : null,
          rawSeq: before?.raw_seq ?? null,
          members: rows.map((row) => ({ ...row, due: row.due === 1 })),
        });
      }
      return states;
    },
    *park(parks): Verb<void> {
      yield* execute(park, [JSON.stringify(parks.map(({ id }) => id))]);
    },
  };
}
