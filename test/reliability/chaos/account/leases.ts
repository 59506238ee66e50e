import type { ProcessLife, Run, Silence } from './evidence.js';

/**
 * How long a run may count on its lease. It ends with the run and with its process; when the run is told to stop (its
 * timeout, a shutdown, a node that cannot beat); and when its process was silent for so long that others may take it for
 * dead. Half a lease is less than it takes them, so a run beyond it is never blamed on the product wrongly.
 */
export class Leases {
  private readonly patienceUs: number;

  constructor(
    private readonly processes: ReadonlyMap<string, ProcessLife>,
    leaseMs: number,
  ) {
    this.patienceUs = (leaseMs / 2) * 1_000;
  }

  /** When the run itself was over; Infinity = it runs still. */
  overAt({ endedAt = Infinity, process }: Run): number {
    return Math.min(endedAt, this.processes.get(process)?.endedAt ?? Infinity);
  }

  heldUntil(run: Run): number {
    const silence = this.silences(run).find(({ to }) => to > run.beganAt);
    const silent = silence ? Math.max(run.beganAt, silence.from + this.patienceUs) : Infinity;
    return Math.min(this.overAt(run), run.abortedAt ?? Infinity, silent);
  }

  /** It began in a process that had just been silent, and may not have found out yet that its leases are gone. */
  isStale(run: Run): boolean {
    return this.silences(run).some(({ from, to }) => run.beganAt >= from && run.beganAt <= to + this.patienceUs);
  }

  /** The long ones. */
  private silences({ process }: Run): readonly Silence[] {
    const { silences = [] } = this.processes.get(process) ?? {};
    return silences.filter(({ from, to }) => to - from >= this.patienceUs);
  }
}
