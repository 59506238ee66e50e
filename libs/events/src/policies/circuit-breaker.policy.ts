import type { ResolvedCircuitOptions } from '../discovery/on-event.options.js';
import { SlidingWindow } from './sliding-window.js';

export type CircuitState = 'closed' | 'open' | 'half-open';

/** A circuit as all nodes share it. Times are epoch milliseconds. */
export interface SharedCircuit {
  readonly state: CircuitState;
  /** +1 at every change of state. */
  readonly epoch: number;
  /** Null unless `open`. */
  readonly openedAt: number | null;
}

/** What a result asks for; it happens only if the shared circuit is still in this epoch. */
export type CircuitIntent = { readonly do: 'open' | 'half-open' | 'count-trial'; readonly epoch: number };

/** One call that has begun; hand it back to `succeed` or `fail`, once, unless it says nothing about what is behind it. */
export interface CircuitTicket {
  /** The epoch the call began in; SETTLED once it has been handed back. */
  epoch: number;
}

const SETTLED = -1;

/** What a caller waits, in milliseconds, when all trials are under way: nobody knows when one ends. */
const TRIALS_BUSY_MS = 1000;

/**
 *                 inside `window`: failures >= failureThreshold
 *                 and failures / calls >= failureRate
 *      +----------+ ------------------------------------------> +------+
 *      |  closed  |                                             | open |
 *      +----------+                                             +------+
 *           ^                                                    |    ^
 *           | successThreshold trials            openDuration    |    | one trial
 *           | have succeeded                     has passed      v    | has failed
 *           |                                                +-----------+
 *           +----------------------------------------------- | half-open |
 *                                                            +-----------+
 *                                             at most halfOpenConcurrency trials at a time
 *
 * The state belongs to the cluster, the window to this node. So nothing here changes the state but `adopt`: results only
 * answer what should become of it, the caller tries that where all nodes can see it, and adopts what has come of it.
 * Until then a circuit that this node wants open is open here.
 *
 * Every arrow begins a new epoch. A call belongs to the epoch it began in: its result counts only if that is still the
 * epoch, so a slow call from before an outage can neither reopen nor close anything. The condition on the first arrow is
 * looked at when a call fails. Results are placed in the window at the moment they arrive; a new epoch empties it.
 *
 * After closing the node runs halfOpenConcurrency calls at once, and one more with each success, up to what it ran
 * before: the backlog must not fell what has just come up again.
 */
export class CircuitBreaker {
  private shared: SharedCircuit = { state: 'closed', epoch: 0, openedAt: null };
  /** Monotonic; a clock that jumps back must not keep a circuit open for longer than it should be. */
  private adoptedAt = 0;
  private wantsOpen = false;
  private ramp = Infinity;
  private readonly window: SlidingWindow;

  /**
   * @param concurrency of the handler, per node.
   * @param monotonic milliseconds that never go back.
   * @param now epoch milliseconds, as all nodes have them.
   */
  constructor(
    private readonly options: ResolvedCircuitOptions,
    private readonly concurrency: number,
    private readonly monotonic: () => number,
    private readonly now: () => number,
  ) {
    this.window = new SlidingWindow(options.windowMs);
  }

  get state(): CircuitState {
    return this.wantsOpen ? 'open' : this.shared.state;
  }

  /** As the cluster knows it, whatever this node wants. */
  get sharedState(): CircuitState {
    return this.shared.state;
  }

  get epoch(): number {
    return this.shared.epoch;
  }

  /** Takes over the shared circuit, unless it is older than what is known. True when it is a new epoch. */
  adopt(circuit: SharedCircuit): boolean {
    const { state, epoch } = circuit;
    if (epoch <= this.shared.epoch) return false;
    // A backlog that did not flow here comes back slowly, also when this node has missed what was between. A node that has
    // just started knows of nothing that it should be careful with.
    this.ramp = state === 'closed' && !this.flows ? this.options.halfOpenConcurrency : Infinity;
    this.shared = { state, epoch, openedAt: circuit.openedAt };
    this.adoptedAt = this.monotonic();
    this.wantsOpen = false;
    this.window.clear();
    return true;
  }

  /** How many calls may run at once on this node. */
  get limit(): number {
    if (this.state === 'closed') return Math.min(this.concurrency, this.ramp);
    return this.state === 'open' ? 0 : Math.min(this.concurrency, this.options.halfOpenConcurrency);
  }

  /** Whether the backlog may flow: closed, and not just come back. */
  get flows(): boolean {
    return this.state === 'closed' && this.ramp >= this.concurrency;
  }

  /** Whether a call may begin that was claimed in this epoch: any while closed, of a half-open circuit only its trials. */
  permits(claimedIn: number): boolean {
    return this.state === 'closed' || (this.state === 'half-open' && claimedIn === this.epoch);
  }

  begin(): CircuitTicket {
    return { epoch: this.epoch };
  }

  succeed(ticket: CircuitTicket): CircuitIntent | undefined {
    if (!this.settle(ticket)) return undefined;
    if (this.shared.state === 'half-open') return { do: 'count-trial', epoch: this.epoch };
    this.window.record(false, this.monotonic());
    this.ramp++;
    return undefined;
  }

  fail(ticket: CircuitTicket): CircuitIntent | undefined {
    if (!this.settle(ticket)) return undefined;
    if (this.shared.state === 'closed') this.window.record(true, this.monotonic());
    if (this.shared.state === 'closed' && !this.isFailing()) return undefined;
    this.wantsOpen = true;
    return { do: 'open', epoch: this.epoch };
  }

  /** What is to be done without a call: an open circuit whose time has come, or one that could not be opened yet. */
  get due(): CircuitIntent | undefined {
    if (this.wantsOpen) return { do: 'open', epoch: this.epoch };
    return this.state === 'open' && this.openMsLeft() <= 0 ? { do: 'half-open', epoch: this.epoch } : undefined;
  }

  /**
   * Whole milliseconds until a call may begin: 0 when one may now, the rest of `openDuration` while open. While half-open
   * it is a guess, `openDuration` but at most a second: look again then.
   */
  retryInMs(): number {
    if (this.state === 'closed') return 0;
    const { openDurationMs } = this.options;
    const left = this.shared.state === 'open' ? this.openMsLeft() : openDurationMs;
    return Math.max(1, Math.ceil(this.state === 'open' ? left : Math.min(left, TRIALS_BUSY_MS)));
  }

  /** True if the result counts: the first for its ticket, of this epoch, and not of one that is over here already. */
  private settle(ticket: CircuitTicket): boolean {
    const counts = ticket.epoch === this.epoch && this.state !== 'open';
    ticket.epoch = SETTLED;
    return counts;
  }

  private isFailing(): boolean {
    const { calls, failures } = this.window;
    // Divided, not multiplied: 7 of 100 is exactly the double 0.07, but 0.07 * 100 is over 7.
    return failures >= this.options.failureThreshold && failures / calls >= this.options.failureRate;
  }

  private openMsLeft(): number {
    const { openDurationMs } = this.options;
    const open = this.now() - (this.shared.openedAt ?? 0);
    return Math.min(openDurationMs - open, openDurationMs - (this.monotonic() - this.adoptedAt));
  }
}
