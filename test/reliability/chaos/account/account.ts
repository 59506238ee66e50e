import type { HandlerRule } from '../scenario.js';
import { Deliveries } from './deliveries.js';
import type { Evidence } from './evidence.js';
import { fatesOf } from './fates.js';
import type { Finding } from './finding.js';
import { findOrderViolations, findSwappedCommits } from './lanes.js';
import { Leases } from './leases.js';
import { findOverlaps } from './overlaps.js';

export interface AccountRules {
  readonly handlers: readonly HandlerRule[];
  readonly leaseMs: number;
}

export interface Account {
  /** Committed ones. */
  readonly events: number;
  /** What their handlers owe. */
  readonly deliveries: number;
  readonly findings: readonly Finding[];
  /** Runs that went on after they were told to stop, while the next was under way; runs of processes that were silent. */
  readonly leaked: number;
  readonly outlived: number;
}

/** Holds everything that was published against everything that was done. */
export function account(evidence: Evidence, { handlers, leaseMs }: AccountRules): Account {
  const { committed, findings: fates } = fatesOf(evidence);
  const deliveries = new Deliveries(evidence);
  const leases = new Leases(evidence.processes, leaseMs);
  const overlaps = findOverlaps(evidence.runs, leases);
  const owed = [...committed.values()].flatMap(({ id, type }) =>
    handlers.filter(({ types }) => types.some((known) => known === type)).map((rule) => ({ id, rule })),
  );
  const ids = new Set(committed.keys());
  const ordered = handlers.filter((rule) => rule.ordered);
  return {
    events: committed.size,
    deliveries: owed.length,
    leaked: overlaps.leaked,
    outlived: overlaps.outlived,
    findings: [
      ...fates,
      ...owed.flatMap(({ id, rule }) => deliveries.check(id, rule)),
      ...phantoms(ids, evidence),
      ...stuck(evidence),
      ...overlaps.findings,
      ...ordered.flatMap(({ name }) => findOrderViolations(name, ids, evidence, leases)),
      ...findSwappedCommits(evidence),
    ],
  };
}

/** Events that were never committed, and are there. */
function phantoms(committed: ReadonlySet<string>, { tables, runs }: Evidence): Finding[] {
  const seen = new Map<string, string>();
  for (const { id } of tables.inbox) seen.set(id, 'in the inbox');
  for (const { event, run } of tables.effects) seen.set(event, `the effect of ${run}`);
  for (const { event, run } of runs) seen.set(event, `delivered, ${run}`);
  return [...seen]
    .filter(([event]) => !committed.has(event))
    .map(([event, where]) => ({ kind: 'phantom', event, what: `never committed, but ${where}` }));
}

function stuck({ tables }: Evidence): Finding[] {
  const ids = new Map(tables.inbox.map(({ seq, id }) => [seq, id]));
  return [
    ...tables.live.map(({ seq, handler, state }): Finding => {
      return { kind: 'stuck', event: ids.get(seq) ?? `seq ${seq}`, handler, what: `still live: ${state}` };
    }),
    ...tables.inbox.flatMap(({ id, raw }): Finding[] => {
      return raw ? [{ kind: 'stuck', event: id, what: 'never fanned out' }] : [];
    }),
  ];
}
