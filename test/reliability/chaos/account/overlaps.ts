import type { Run } from './evidence.js';
import type { Finding } from './finding.js';
import { groupBy } from './group-by.js';
import type { Leases } from './leases.js';

export interface Overlaps {
  /** Two runs of one delivery at the same time, the earlier within its lease. */
  readonly findings: readonly Finding[];
  /** The earlier one went on after it was told to stop. */
  readonly leaked: number;
  /** One of them belongs to a process that was silent past its lease. */
  readonly outlived: number;
}

export function findOverlaps(runs: readonly Run[], leases: Leases): Overlaps {
  const findings: Finding[] = [];
  let leaked = 0;
  let outlived = 0;
  for (const [delivery, ofDelivery] of groupBy(runs, ({ delivery }) => delivery)) {
    const inTime = ofDelivery.toSorted((a, b) => a.beganAt - b.beganAt);
    for (const [index, later] of inTime.entries()) {
      for (const earlier of inTime.slice(0, index)) {
        if (later.beganAt >= leases.overAt(earlier)) continue;
        if ((earlier.abortedAt ?? Infinity) <= later.beganAt) leaked++;
        else if (later.beganAt >= leases.heldUntil(earlier) || leases.isStale(later) || leases.isStale(earlier))
          outlived++;
        else {
          const what = `delivery ${delivery}: ${later.run} began while ${earlier.run} was within its lease`;
          findings.push({ kind: 'overlapping', event: later.event, handler: later.handler, what });
        }
      }
    }
  }
  return { findings, leaked, outlived };
}
