import type { ResolvedCircuitOptions } from '../discovery/on-event.options.js';
import { SlidingWindow } from './sliding-window.js';

export type CircuitState = 'closed' | 'open' | 'half-open';

/** One call that has begun; hand it back to `succeed`, `fail` or `forget`. Only the first of these has an effect. */
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
 * Every arrow begins a new epoch. A call belongs to the epoch it began in: its result counts only if that is still the
 * epoch, so a slow call from before an outage can neither reopen nor close anything. The condition on the first arrow is
 * looked at when a call fails. Closing empties the window; results are placed in it at the moment they arrive.
 *
 * There is no timer: open turns half-open when somebody looks (any member but the three that settle), which is why
 * `onTransition` may hear of it late. After a throw of `onTransition`, the breaker is in its new state.
 */
export class CircuitBreaker {
  private current: CircuitState = 'closed';
  private epochNumber = 0;
  private openedAt = 0;
  private trials = 0;
  private successes = 0;
  private readonly window: SlidingWindow;

  /** @param now milliseconds that never go back. */
  constructor(
    private readonly options: ResolvedCircuitOptions,
    private readonly now: () => number,
    private readonly onTransition?: (from: CircuitState, to: CircuitState) => void,
  ) {
    this.window = new SlidingWindow(options.windowMs);
  }

  get state(): CircuitState {
    this.look();
    return this.current;
  }

  /** How many transitions there have been. */
  get epoch(): number {
    this.look();
    return this.epochNumber;
  }

  /** How many of `wanted` calls may begin now. Reserves nothing: `begin` does. */
  permits(wanted: number): number {
    const { state } = this;
    if (state === 'closed') return wanted;
    return state === 'open' ? 0 : Math.max(0, Math.min(wanted, this.options.halfOpenConcurrency - this.trials));
  }

  /**
   * A call begins; while half-open it is a trial. Never refuses: ask `permits` first. A call begun all the same while the
   * circuit is open counts nothing, one begun over the limit of trials is a trial too.
   */
  begin(): CircuitTicket {
    if (this.state === 'half-open') this.trials += 1;
    return { epoch: this.epochNumber };
  }

  succeed(ticket: CircuitTicket): void {
    if (!this.settle(ticket)) return;
    if (this.current === 'closed') {
      this.window.record(false, this.now());
    } else if (this.current === 'half-open') {
      this.successes += 1;
      if (this.successes >= this.options.successThreshold) this.enter('closed');
    }
  }

  fail(ticket: CircuitTicket): void {
    if (!this.settle(ticket)) return;
    if (this.current === 'closed') {
      this.window.record(true, this.now());
      if (this.isFailing()) this.enter('open');
    } else if (this.current === 'half-open') {
      this.enter('open');
    }
  }

  /** The call says nothing about what is behind it (permanent error, snooze, abort): frees its trial, counts nothing. */
  forget(ticket: CircuitTicket): void {
    this.settle(ticket);
  }

  /**
   * Whole milliseconds until a call may begin: 0 when one may now, the rest of `openDuration` while open. While all trials
   * are under way it is a guess, `openDuration` but at most a second: look again then.
   */
  retryInMs(): number {
    if (this.permits(1) > 0) return 0;
    const waitMs = this.current === 'open' ? this.openMsLeft() : Math.min(this.options.openDurationMs, TRIALS_BUSY_MS);
    return Math.max(1, Math.ceil(waitMs));
  }

  /** True if the result counts: the first for its ticket, and of this epoch. */
  private settle(ticket: CircuitTicket): boolean {
    const counts = ticket.epoch === this.epochNumber;
    ticket.epoch = SETTLED;
    if (counts && this.current === 'half-open') this.trials -= 1;
    return counts;
  }

  private look(): void {
    if (this.current === 'open' && this.openMsLeft() <= 0) this.enter('half-open');
  }

  private isFailing(): boolean {
    const { calls, failures } = this.window;
    // Divided, not multiplied: 7 of 100 is exactly the double 0.07, but 0.07 * 100 is over 7.
    return failures >= this.options.failureThreshold && failures / calls >= this.options.failureRate;
  }

  private openMsLeft(): number {
    return this.options.openDurationMs - (this.now() - this.openedAt);
  }

  private enter(state: CircuitState): void {
    const from = this.current;
    this.current = state;
    this.epochNumber += 1;
    if (state === 'open') this.openedAt = this.now();
    if (state === 'half-open') this.trials = this.successes = 0;
    if (state === 'closed') this.window.clear();
    this.onTransition?.(from, state);
  }
}
