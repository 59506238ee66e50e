import type { PlannedEvent } from '../journal-lines.js';
import type { Evidence, PublishedTransaction } from './evidence.js';
import type { Finding } from './finding.js';

export interface Fates {
  /** Every event whose transaction committed. */
  readonly committed: ReadonlyMap<string, PlannedEvent>;
  readonly findings: readonly Finding[];
}

/**
 * Which events were committed. A publisher that was killed or cut off at COMMIT does not know: its row in `business` does,
 * and where there is none (publishes that commit on their own), an event that is stored counts as committed.
 */
export function fatesOf({ transactions, tables }: Pick<Evidence, 'transactions' | 'tables'>): Fates {
  const business = new Set(tables.business);
  const inbox = new Set(tables.inbox.map(({ id }) => id));
  const committed = new Map<string, PlannedEvent>();
  const findings: Finding[] = [];
  const timesNamed = new Map<string, number>();
  for (const { events } of transactions) for (const { id } of events) timesNamed.set(id, (timesNamed.get(id) ?? 0) + 1);

  for (const transaction of transactions) {
    const { tx, events, result } = transaction;
    const fate = fateOf(transaction, business);
    if (result === 'rolled-back' && fate === 'committed')
      findings.push(
        ...events.map(({ id }) => ({
          kind: 'phantom' as const,
          event: id,
          what: `${tx} was rolled back, but its row is there`,
        })),
      );
    if (result === 'committed' && fate === 'rolled-back')
      findings.push(
        ...events.map(({ id }) => ({
          kind: 'lost' as const,
          event: id,
          what: `${tx} was committed, but its row is not there`,
        })),
      );
    const stored = events.filter(({ id }) => inbox.has(id));
    if (fate === 'unknown') findings.push(...tornIn(transaction, (id) => timesNamed.get(id) === 1, inbox));
    for (const event of fate === 'unknown' ? stored : fate === 'committed' ? events : [])
      committed.set(event.id, event);
  }
  return { committed, findings };
}

function fateOf(
  { tx, route, result }: PublishedTransaction,
  business: ReadonlySet<string>,
): PublishedTransaction['result'] {
  if (route === 'all' || route === 'single') return result;
  return business.has(tx) ? 'committed' : 'rolled-back';
}

/** Of a batch that commits on its own, some events are stored and others are not, of those that nobody else has published. */
function tornIn(
  { tx, events }: PublishedTransaction,
  isOnlyHere: (id: string) => boolean,
  inbox: ReadonlySet<string>,
): Finding[] {
  const own = events.filter(({ id }) => isOnlyHere(id));
  const missing = own.filter(({ id }) => !inbox.has(id));
  if (missing.length === own.length) return [];
  return missing.map(({ id }) => ({ kind: 'lost', event: id, what: `${tx} is stored in part` }));
}
