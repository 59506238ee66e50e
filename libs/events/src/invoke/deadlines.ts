import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock, TimerHandle } from '../clock/clock.js';

/** A deadline that was added; pass it back to `remove`. */
export interface Deadline {
  readonly dueAt: number;
}

/** A deadline in its queue; an unlinked one has no neighbours. */
interface Node extends Deadline {
  readonly onExpire: () => void;
  previous: Node | undefined;
  next: Node | undefined;
}

/**
 * Timeouts of running attempts, at the price of one timer for all.
 *
 * Deadlines with the same timeout expire in the order they were added, so each distinct timeout has a queue (a circle
 * through a sentinel, hence removal anywhere is a matter of two pointers) and only the heads are ever compared. Timeouts
 * are handlers' options, so there are few queues; they are kept.
 *
 * Removing leaves the timer alone: it fires, finds nothing due and is set for the head of that moment. So attempts that
 * end in time never touch a timer, and one timeout costs one timer per its own length, not per attempt.
 */
export class Deadlines {
  private readonly queues = new Map<number, Node>();
  /** The timer is set from outside of any attempt, or it would carry that attempt's async context to all others. */
  private readonly outside = AsyncLocalStorage.snapshot();
  /** Undefined when none is set. */
  private timer: TimerHandle;
  private timerDueAt = Infinity;

  constructor(private readonly clock: Clock) {}

  /**
   * Calls `onExpire` once, when `timeoutMs` milliseconds have passed on the monotonic clock, unless removed before.
   * `onExpire` must not throw; it may add and remove.
   */
  add(timeoutMs: number, onExpire: () => void): Deadline {
    const dueAt = this.clock.monotonic() + timeoutMs;
    const end = this.queue(timeoutMs);
    const last = end.previous!;
    const node: Node = { dueAt, onExpire, previous: last, next: end };
    last.next = node;
    end.previous = node;
    if (dueAt < this.timerDueAt) this.arm(dueAt, timeoutMs);
    return node;
  }

  /** Does nothing when the deadline has expired or is removed already. */
  remove(deadline: Deadline): void {
    const node = deadline as Node;
    if (!node.next) return;
    node.previous!.next = node.next;
    node.next.previous = node.previous;
    node.previous = node.next = undefined;
  }

  /** Forgets all deadlines and clears the timer. */
  close(): void {
    this.disarm();
    this.queues.clear();
  }

  private queue(timeoutMs: number): Node {
    let end = this.queues.get(timeoutMs);
    if (!end) {
      end = { dueAt: Infinity, onExpire: () => {}, previous: undefined, next: undefined };
      end.previous = end.next = end;
      this.queues.set(timeoutMs, end);
    }
    return end;
  }

  private soonest(): Node | undefined {
    let soonest: Node | undefined;
    for (const end of this.queues.values()) {
      const head = end.next!;
      if (head !== end && (!soonest || head.dueAt < soonest.dueAt)) soonest = head;
    }
    return soonest;
  }

  private arm(dueAt: number, inMs: number): void {
    this.disarm();
    this.timerDueAt = dueAt;
    this.timer = this.outside(() => this.clock.setTimeout(() => this.expire(), Math.ceil(inMs)));
  }

  private disarm(): void {
    if (this.timer !== undefined) this.clock.clearTimeout(this.timer);
    this.timer = undefined;
    this.timerDueAt = Infinity;
  }

  private expire(): void {
    this.disarm();
    // A system timer may fire a little early: what is not due yet gets another one.
    const now = this.clock.monotonic();
    for (let head = this.soonest(); head; head = this.soonest()) {
      if (head.dueAt > now) {
        this.arm(head.dueAt, head.dueAt - now);
        return;
      }
      this.remove(head);
      head.onExpire();
    }
  }
}
