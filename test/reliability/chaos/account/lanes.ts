import type { Evidence, InboxRow, Run } from './evidence.js';
import type { Finding } from './finding.js';
import { groupBy } from './group-by.js';
import type { Leases } from './leases.js';

/**
 * In a lane nothing begins before everything ahead of it is done. "Done" is written down before the settle and "begin"
 * after the claim, so of a lane that keeps its order no two lines can be the wrong way round, whoever was killed when.
 */
export function findOrderViolations(
  handler: string,
  committed: ReadonlySet<string>,
  { tables, runs }: Pick<Evidence, 'tables' | 'runs'>,
  leases: Leases,
): Finding[] {
  const ofHandler = groupBy(
    runs.filter((run) => run.handler === handler),
    ({ event }) => event,
  );
  const findings: Finding[] = [];
  const ordered = tables.inbox.filter(({ id, orderingKey }) => orderingKey !== undefined && committed.has(id));
  for (const [lane, events] of groupBy(ordered, ({ orderingKey }) => orderingKey)) {
    let ahead = { id: '', doneAt: -Infinity };
    for (const { id } of events.toSorted((a, b) => a.seq - b.seq)) {
      const own = ofHandler.get(id) ?? [];
      const beganAt = earliest(own.filter((run) => !leases.isStale(run)).map((run) => run.beganAt));
      if (beganAt < ahead.doneAt) {
        const what = `lane ${lane}: it began before ${ahead.id}, which is ahead of it, was done`;
        findings.push({ kind: 'orderViolations', event: id, handler, what });
      }
      const doneAt = doneAtOf(own);
      if (doneAt > ahead.doneAt) ahead = { id, doneAt };
    }
  }
  return findings;
}

/** In a lane, publish order is commit order: what began after something had been committed comes after it. */
export function findSwappedCommits({ tables, transactions }: Pick<Evidence, 'tables' | 'transactions'>): Finding[] {
  const begins = new Map<string, number>();
  const ends = new Map<string, number>();
  for (const { events, beganAt, endedAt, result } of transactions) {
    for (const { id } of events) {
      begins.set(id, Math.min(begins.get(id) ?? Infinity, beganAt));
      if (result === 'committed') ends.set(id, Math.min(ends.get(id) ?? Infinity, endedAt ?? Infinity));
    }
  }
  const ordered = tables.inbox.filter(({ orderingKey }) => orderingKey !== undefined);
  return [...groupBy(ordered, ({ orderingKey }) => orderingKey)].flatMap(([lane, events]) =>
    swappedIn(lane ?? '', events, begins, ends),
  );
}

function swappedIn(
  lane: string,
  events: readonly InboxRow[],
  begins: ReadonlyMap<string, number>,
  ends: ReadonlyMap<string, number>,
): Finding[] {
  const findings: Finding[] = [];
  // From the last to the first: what was committed earliest of all that stands behind.
  let behind = { id: '', endedAt: Infinity };
  for (const { id } of events.toSorted((a, b) => b.seq - a.seq)) {
    if ((begins.get(id) ?? Infinity) > behind.endedAt && begins.has(id)) {
      const what = `lane ${lane}: it stands before ${behind.id}, which was committed before it was published`;
      findings.push({ kind: 'orderViolations', event: id, what });
    }
    const endedAt = ends.get(id) ?? Infinity;
    if (endedAt < behind.endedAt) behind = { id, endedAt };
  }
  return findings;
}

function doneAtOf(runs: readonly Run[]): number {
  const times = runs.flatMap(({ doneAt }) => doneAt ?? []);
  return times.length === 0 ? Infinity : earliest(times);
}

function earliest(times: readonly number[]): number {
  return times.length === 0 ? Infinity : Math.min(...times);
}
