import type { CircuitRecord, HandlerRecord } from '../handler.store.js';
import type { ClaimWant } from '../delivery.store.js';
import type { HandlerRegistration, NodeRecord } from '../records.js';

/** A handler of the cluster. */
export interface HandlerRow {
  readonly name: string;
  priority: number;
  ordered: boolean;
  onDeadLetter: 'block' | 'skip';
  paused: boolean;
  circuit: CircuitRecord;
  /** Ids of the deliveries that were leased as trials of the circuit's epoch; some may be leased no longer. */
  readonly trials: Set<number>;
  readonly firstSeen: number;
  lastSeen: number;
  retiredAt: number | null;
  /** The handler that has it as an alias. Kept when it is announced again: once retired, its deliveries go there. */
  adoptedBy: string | null;
  /** Patterns by node; also of the last node that had it, when that is gone. */
  readonly subscribers: Map<number, readonly string[]>;
}

export function handlerRow({ name, priority, ordered, onDeadLetter }: HandlerRegistration, now: number): HandlerRow {
  return {
    name,
    priority,
    ordered,
    onDeadLetter,
    paused: false,
    circuit: { state: 'closed', epoch: 0, openedAt: null, successes: 0 },
    trials: new Set(),
    firstSeen: now,
    lastSeen: now,
    retiredAt: null,
    adoptedBy: null,
    subscribers: new Map(),
  };
}

/** Whether its deliveries may be claimed; with `circuit` only while its circuit is closed. */
export function isClaimable(
  { paused, retiredAt, ordered, circuit: { state } }: HandlerRow,
  want: Pick<ClaimWant, 'circuit' | 'ordered'>,
): boolean {
  return !paused && retiredAt === null && (!want.circuit || state === 'closed') && (!ordered || want.ordered === true);
}

export function patternsOf({ subscribers }: HandlerRow): string[] {
  return [...new Set([...subscribers.values()].flat())].toSorted();
}

export function handlerRecord(row: HandlerRow, live: ReadonlyMap<number, NodeRecord>): HandlerRecord {
  const { name, paused, circuit, priority, ordered, firstSeen, lastSeen, retiredAt } = row;
  const nodes = [...row.subscribers.keys()].flatMap((id) => live.get(id) ?? []).toSorted((a, b) => a.id - b.id);
  return {
    name,
    paused,
    circuit: { ...circuit },
    priority,
    ordered,
    patterns: patternsOf(row),
    nodes: nodes.map(({ id, label }) => ({ id, label })),
    firstSeen,
    lastSeen,
    retiredAt,
  };
}

export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : Number(a.name > b.name);
}
