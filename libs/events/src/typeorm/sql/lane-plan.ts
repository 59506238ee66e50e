/**
 * What a claim takes of lanes. Pure: each database reads candidates and lanes, and writes what is decided here, in its own
 * way (`claim-lanes.*.ts`).
 */

/** A pending delivery of an ordered handler that no lane is known to keep waiting. */
export interface Candidate {
  readonly id: number;
  readonly handler: string;
  readonly priority: number;
  readonly crashes: number;
  readonly ordering_key: string | null;
}

/** A live delivery of a lane. */
export interface LaneMember {
  readonly id: number;
  readonly seq: number;
  readonly crashes: number;
  /** It waits for no moment. */
  readonly due: boolean;
}

/** A lane as one snapshot shows it. */
export interface LaneState {
  /** Some leased delivery of the lane. */
  readonly leased: number | null;
  /** The first blocking dead letter. */
  readonly letter: { readonly id: number; readonly seq: number } | null;
  /** `seq` of the first raw event with the lane's key. */
  readonly rawSeq: number | null;
  /** The first deliveries by `seq`, as many as a run may have; none needed of a lane with a lease. */
  readonly members: readonly LaneMember[];
}

/** A delivery to be leased. A lane's come in the order of `place`; `priority` and `rank` are those of what brought the lane up. */
export interface Pick {
  readonly id: number;
  readonly priority: number;
  readonly rank: number;
  readonly place: number;
}

/**
 * A candidate not worth another look before its lane has moved on. Only to be written while `blocker` is locked and is
 * still what it was: a live delivery before it in the lane (`ahead`), one that is leased (`leased`), a blocking dead
 * letter (`letter`). Whoever takes that away later wakes the lane; a candidate parked behind what is gone already would
 * wait for ever.
 */
export interface Park {
  readonly id: number;
  readonly blocker: number;
  readonly kind: 'ahead' | 'leased' | 'letter';
}

export interface LanePlan {
  readonly picks: readonly Pick[];
  readonly parks: readonly Park[];
  /** A suspect is among the picks. */
  readonly suspect: boolean;
}

interface Run {
  readonly handler: string;
  readonly head: Candidate;
  readonly members: readonly { readonly id: number }[];
}

type Verdict =
  | { readonly members: readonly LaneMember[] }
  | { readonly blocker: Omit<Park, 'id'> }
  /** Must not go on, and nobody would wake it: it stays a candidate. */
  | 'wait';

/**
 * @param candidates best first.
 * @param limits by handler.
 * @param suspect whether one suspect may be picked.
 */
export function planLanes(
  candidates: readonly Candidate[],
  stateOf: (candidate: Candidate) => LaneState | undefined,
  limits: ReadonlyMap<string, number>,
  suspect: boolean,
): LanePlan {
  const left = new Map(limits);
  const verdicts = new Map<LaneState, Verdict>();
  const runs: Run[] = [];
  let suspectAllowed = suspect;
  for (const head of candidates) {
    if ((left.get(head.handler) ?? 0) === 0) continue;
    const state = stateOf(head);
    let verdict: Verdict;
    if (head.ordering_key === null) verdict = { members: [{ ...head, seq: 0, due: true }] };
    else if (!state || verdicts.has(state)) continue;
    else verdicts.set(state, (verdict = judge(state, suspectAllowed)));
    if (verdict === 'wait' || 'blocker' in verdict) continue;
    if (verdict.members[0].crashes > 0) {
      if (!suspectAllowed) continue;
      suspectAllowed = false;
    }
    left.set(head.handler, (left.get(head.handler) ?? 0) - 1);
    runs.push({ handler: head.handler, head, members: verdict.members });
  }
  const picks = grow(runs, left);
  return { picks, parks: park(candidates, picks, stateOf, verdicts), suspect: suspect && !suspectAllowed };
}

function judge({ leased, letter, rawSeq, members }: LaneState, suspectAllowed: boolean): Verdict {
  if (leased !== null) return { blocker: { blocker: leased, kind: 'leased' } };
  const first = members[0] as LaneMember | undefined;
  if (!first) return 'wait';
  if (letter && letter.seq < first.seq) return { blocker: { blocker: letter.id, kind: 'letter' } };
  if (rawSeq !== null && rawSeq < first.seq) return 'wait';
  if (!first.due || (first.crashes > 0 && !suspectAllowed)) return { blocker: { blocker: first.id, kind: 'ahead' } };
  if (first.crashes > 0) return { members: [first] };
  const end = Math.min(letter?.seq ?? Infinity, rawSeq ?? Infinity);
  const stop = members.findIndex(({ seq, crashes, due }) => !due || crashes > 0 || seq > end);
  return { members: stop < 0 ? members : members.slice(0, stop) };
}

/** All heads first, then each run in turn by one. */
function grow(runs: readonly Run[], left: Map<string, number>): Pick[] {
  const pick = ({ head, members }: Run, place: number): Pick => ({
    id: members[place].id,
    priority: head.priority,
    rank: head.id,
    place,
  });
  const picks = runs.map((run) => pick(run, 0));
  let growing = runs;
  for (let place = 1; growing.length > 0; place++) {
    growing = growing.filter((run) => {
      const room = left.get(run.handler) ?? 0;
      if (room === 0 || place >= run.members.length) return false;
      left.set(run.handler, room - 1);
      picks.push(pick(run, place));
      return true;
    });
  }
  return picks;
}

function park(
  candidates: readonly Candidate[],
  picks: readonly Pick[],
  stateOf: (candidate: Candidate) => LaneState | undefined,
  verdicts: ReadonlyMap<LaneState, Verdict>,
): Park[] {
  const picked = new Set(picks.map(({ id }) => id));
  return candidates.flatMap((candidate) => {
    const state = stateOf(candidate);
    const verdict = state && verdicts.get(state);
    if (!verdict || verdict === 'wait' || picked.has(candidate.id)) return [];
    const by: Omit<Park, 'id'> =
      'blocker' in verdict ? verdict.blocker : { blocker: verdict.members[0].id, kind: 'ahead' };
    return by.blocker === candidate.id ? [] : [{ id: candidate.id, ...by }];
  });
}
