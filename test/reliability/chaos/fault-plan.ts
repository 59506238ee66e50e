import { Random } from './random.js';
import { LEASE_MS } from './scenario.js';

export type FaultKind = 'kill' | 'pause' | 'terminate' | 'cut' | 'restart';

export interface Fault {
  readonly kind: FaultKind;
  /** From the begin of the run. */
  readonly atMs: number;
  /** Whom it hits: an index into all processes; whoever is up next, if that one is not. */
  readonly target: number;
  /** Of a pause; of a lock on a SQLite file; before a killed process, or a crashed server, is started again. */
  readonly forMs: number;
  /** Of the connections that are cut. */
  readonly share: number;
}

/** Whoever is cut off cannot tell that somebody else is dead: while one is silent, the others keep their connections. */
const WHILE_ONE_IS_SILENT: readonly FaultKind[] = ['kill', 'kill', 'terminate', 'pause'];
const OTHERWISE: readonly FaultKind[] = ['cut', 'cut', 'kill', 'terminate'];
const ON_AN_OWN_SERVER: readonly FaultKind[] = [...OTHERWISE, 'restart'];

export interface FaultPlan {
  readonly seed: number;
  readonly seconds: number;
  readonly nodes: number;
  readonly publishers: number;
  /** Whether the database server may be crashed too. */
  readonly restarts: boolean;
}

/** The faults of a run, in time; the seed decides all of them. */
export function planFaults({ seed, seconds, nodes, publishers, restarts }: FaultPlan): Fault[] {
  const random = new Random(seed, 'faults');
  const faults: Fault[] = [];
  const add = (kind: FaultKind, atMs: number, forMs: number, target: number) =>
    faults.push({ kind, atMs, target, forMs, share: random.pick([0.3, 0.6, 1]) });
  const whileOneIsSilent = random.deck(WHILE_ONE_IS_SILENT);
  const otherwise = random.deck(restarts ? ON_AN_OWN_SERVER : OTHERWISE);
  let silentUntilMs = 0;
  let nextSilenceMs = 4_000;
  for (let atMs = 1_000; atMs < seconds * 1_000; atMs += random.between(1_000, 3_000)) {
    const anybody = random.between(0, nodes + publishers - 1);
    if (atMs < nextSilenceMs) {
      const kind = atMs < silentUntilMs ? whileOneIsSilent() : otherwise();
      add(kind, atMs, duration(kind, random), anybody);
      continue;
    }
    // Others notice up to a third of a lease later, and are to be in the middle of its work when it comes back. A
    // publisher has no lease.
    const forMs = LEASE_MS + random.between(LEASE_MS / 6, LEASE_MS * 0.7);
    add('pause', atMs, forMs, random.chance(0.8) ? random.between(0, nodes - 1) : anybody);
    silentUntilMs = atMs + forMs;
    nextSilenceMs = silentUntilMs + random.between(3_000, 6_000);
  }
  return faults;
}

function duration(kind: FaultKind, random: Random): number {
  if (kind === 'cut' || kind === 'restart') return random.between(200, 3_000);
  // So short a silence excuses nothing: nobody may take the deliveries over.
  if (kind === 'pause') return random.between(500, LEASE_MS / 3);
  return random.between(0, 1_500);
}
